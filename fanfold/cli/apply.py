"""`fanfold apply`: bring a run's result into your branch, or take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.cli.output import counted, say, say_json, tell
from fanfold.cli.runs import add_run_argument, find_run, project_of
from fanfold.errors import UnknownRun
from fanfold.plan import formats
from fanfold.plan.carry_over import carry_over
from fanfold.run.artifacts import run_file
from fanfold.steps.request import MANIFEST, load_plan, load_request

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.ports import ArtifactStore
    from fanfold.run.events import PlanWrittenBack
    from fanfold.run.state import RunState

DONE = {
    "fast_forward": "{branch} moved forward to the result of run {run}",
    "merge": "{branch} was merged with the result of run {run}",
    "content": "the work tree holds the content of run {run}, not committed",
    "nothing": "{branch} holds the result of run {run} already",
}
EXAMPLES = """\
examples:
  fanfold apply               fast-forward, else a merge commit; your own changes stay
  fanfold apply --no-commit   only the content, to look at or to commit yourself
  fanfold apply --undo        exactly as it was before
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("--no-commit", action="store_true", help="content only")
    parser.add_argument("--undo", action="store_true", help="take an applied result back")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    return _undo(project, args) if args.undo else _apply(project, args)


def _apply(project: Project, args: argparse.Namespace) -> int:
    from fanfold.adapters.git.apply import apply

    run = find_run(project, args)
    state = run.journal().state
    if state.written is None:
        raise UnknownRun(f"run {state.run_id} has no result; `fanfold status {state.run_id}`")
    run.engine.fetch(state.run_id)
    base, tip = _around_edits(project, run.engine.artifacts, state, state.written)
    applied = apply(project.root, tip, base, run=state.run_id, no_commit=args.no_commit)
    if args.json:
        say_json({"schema": "fanfold.apply/1", **msgspec.to_builtins(applied)})
    else:
        say(DONE[applied.how].format(branch=applied.branch or "HEAD", run=state.run_id))
        if applied.how != "nothing":
            changed = counted(len(applied.paths), "file", "files")
            say(f"{changed} changed; `fanfold apply {state.run_id} --undo` takes it back")
    return 0


def _around_edits(
    project: Project, artifacts: ArtifactStore, state: RunState, written: PlanWrittenBack
) -> tuple[str, str]:
    """Base and tip of the result; where the plan was edited since, with the plan as it is now."""
    if not artifacts.exists(run_file(state.run_id, MANIFEST)):
        return state.base, written.tip
    request = load_request(artifacts, state.run_id)
    then = load_plan(artifacts, request)
    marked = project.repository.read(written.tree, state.plan)
    file = project.root / state.plan
    now = file.read_bytes() if file.is_file() else None
    if now is None or marked is None or now in (then, marked):
        return state.base, written.tip
    parsed = [formats.parse(data, state.plan) for data in (then, marked, now)]
    carried = carry_over(*parsed)
    for title in carried.lost:
        tell(f"the plan no longer holds the task {title!r}; its work is in the result")
    when, author = project.clock.now(), request.author
    repository = project.repository
    edited = repository.replace(request.base_tree, state.plan, now)
    base = repository.commit(edited, state.base, "fanfold: the plan as edited\n", when, author)
    kept = repository.replace(written.tree, state.plan, carried.data)
    message = "conductor(plan): Keep what was edited while the run went on\n"
    return base, repository.commit(kept, written.tip, message, when, author)


def _undo(project: Project, args: argparse.Namespace) -> int:
    from fanfold.adapters.git.apply import undo

    undone = undo(project.root, run=find_run(project, args).run_id)
    if args.json:
        say_json({"schema": "fanfold.apply/1", **msgspec.to_builtins(undone)})
    else:
        say(f"took the result of run {undone.run} back; its files are as before")
    return 0
