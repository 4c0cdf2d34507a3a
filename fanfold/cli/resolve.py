"""`fanfold resolve`: settle a conflict by hand, in a work tree of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.git.linked import add_work_tree, remove_work_tree, written_tree
from fanfold.cli.going_on import go_on, record, stopped
from fanfold.cli.money import budget
from fanfold.cli.output import say, say_json
from fanfold.cli.runs import add_run_argument, find_run, project_of
from fanfold.errors import UserError
from fanfold.run.state import UnitStatus
from fanfold.steps.by_hand import has_markers, settled, unsettled

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from fanfold.bootstrap import Project
    from fanfold.cli.runs import Run
    from fanfold.run.state import RunState, UnitState

EXAMPLES = """\
examples:
  fanfold resolve 3fa9 1.2             a work tree with diff3 markers; edit the files it names
  fanfold resolve 3fa9 1.2 --continue  take what you made of them, and go on with the run
  fanfold resolve 3fa9 1.2 --abort     remove the work tree
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("task", metavar="TASK", help="a task that is conflicted")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--continue", dest="go_on", action="store_true", help="take the files")
    group.add_argument("--abort", action="store_true", help="give the work tree up")
    parser.add_argument("--budget", type=budget, metavar="USD", help="raise the run's cap")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    run = find_run(project, args)
    state = run.journal().state
    unit = stopped(run, state, args)
    folder = project.workspace_dir / "runs" / run.run_id / "resolve" / unit.spec.id
    if args.abort:
        return _abort(project, folder, as_json=args.json)
    if unit.status is not UnitStatus.CONFLICTED:
        raise UserError(f"task {args.task} of run {run.run_id} is {unit.status}, not conflicted")
    if args.go_on:
        return _continue(project, run, unit, folder, args)
    return _open(project, run, state, unit, folder, as_json=args.json)


def _open(
    project: Project, run: Run, state: RunState, unit: UnitState, folder: Path, *, as_json: bool
) -> int:
    if folder.exists():
        raise UserError(f"{str(folder)!r} is there already: --continue or --abort")
    run.engine.fetch(run.run_id)
    found = unsettled(state, unit, project.repository, run.engine.artifacts)
    start = state.written.tip if state.written else state.base
    message = f"fanfold: what task {unit.spec.id} of run {state.run_id} meets\n"
    now, author = project.clock.now(), project.repository.author()
    commit = project.repository.commit(found.base_tree, start, message, now, author)
    add_work_tree(project.root, folder, commit, found.tree)
    name = f"fanfold resolve {state.run_id} {unit.spec.id}"
    if as_json:
        view = {"run": state.run_id, "task": unit.spec.id, "folder": str(folder)}
        say_json({"schema": "fanfold.resolve/1", **view, "paths": found.paths})
        return 0
    say(f"in {folder}")
    for path in found.paths:
        say(f"  settle {path}")
    say(f"next: {name} --continue, or {name} --abort")
    return 0


def _continue(
    project: Project, run: Run, unit: UnitState, folder: Path, args: argparse.Namespace
) -> int:
    if not folder.exists():
        raise UserError(f"nothing to take: `fanfold resolve {run.run_id} {unit.spec.id}` first")
    state, repository, artifacts = run.journal().state, project.repository, run.engine.artifacts
    base, tree = written_tree(folder)
    left = [
        path
        for path in unsettled(state, unit, repository, artifacts).paths
        if has_markers(repository.read(tree, path) or b"")
    ]
    if left:
        raise UserError(f"markers are left in {', '.join(left)} (in {folder})")
    given = settled(state, unit, base, tree, repository, artifacts)
    record(run, given, args.budget)
    remove_work_tree(project.root, folder)
    return go_on(project, run, args)


def _abort(project: Project, folder: Path, *, as_json: bool) -> int:
    if not folder.exists():
        raise UserError(f"there is no work tree {str(folder)!r}")
    remove_work_tree(project.root, folder)
    if as_json:
        say_json({"schema": "fanfold.resolve/1", "folder": None, "paths": []})
    else:
        say(f"removed {folder}; the conflict is as it was")
    return 0
