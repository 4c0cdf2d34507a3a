"""`fanfold apply`: bring a run's result into your branch, or take it back."""

from __future__ import annotations

from posixpath import basename, dirname
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fanfold.cli.known_batches import find_batch
from fanfold.cli.output import counted, say, say_json, tell
from fanfold.cli.runs import add_run_argument, find_run, project_of
from fanfold.errors import UnknownRun
from fanfold.plan import formats, track_list
from fanfold.plan.carry_over import carry_over
from fanfold.plan.control import control_files
from fanfold.run.artifacts import run_file
from fanfold.steps.request import MANIFEST, load_plan, load_request

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.cli.known_batches import KnownBatch
    from fanfold.plan.carry_over import CarriedOver

DONE = {
    "fast_forward": "{branch} moved forward to the result of run {run}",
    "merge": "{branch} was merged with the result of run {run}",
    "content": "the work tree holds the content of run {run}, not committed",
    "nothing": "{branch} holds the result of run {run} already",
}


class PlanAsRun(NamedTuple):
    """A plan as it was when the run was asked for."""

    path: str
    data: bytes


class Result(NamedTuple):
    """What a run or a batch made of `base`."""

    name: str
    base: str
    base_tree: str
    tip: str
    tree: str
    author: tuple[str, str]
    plans: list[PlanAsRun]


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

    result = _result(project, args)
    base, tip, warnings = _around_edits(project, result)
    applied = apply(project.root, tip, base, run=result.name, no_commit=args.no_commit)
    for warning in warnings:
        tell(warning["text"])
    if args.json:
        view = msgspec.to_builtins(applied)
        say_json({"schema": "fanfold.apply/1", **view, "warnings": warnings})
    else:
        say(DONE[applied.how].format(branch=applied.branch or "HEAD", run=result.name))
        if applied.how != "nothing":
            changed = counted(len(applied.paths), "file", "files")
            say(f"{changed} changed; `fanfold apply {result.name} --undo` takes it back")
    return 0


def _result(project: Project, args: argparse.Namespace) -> Result:
    """The result that is meant, of a batch or of a run; it is in this repository now."""
    batch = find_batch(project, args)
    if batch is not None:
        return _of_batch(batch)
    run = find_run(project, args)
    state = run.journal().state
    if state.written is None:
        raise UnknownRun(f"run {state.run_id} has no result; `fanfold status {state.run_id}`")
    run.engine.fetch(state.run_id)
    artifacts, plans = run.engine.artifacts, list[PlanAsRun]()
    tree, author = state.base_tree, project.repository.author()
    if artifacts.exists(run_file(state.run_id, MANIFEST)):
        request = load_request(artifacts, state.run_id)
        plans = [PlanAsRun(state.plan, load_plan(artifacts, request))]
        tree, author = request.base_tree, request.author
    written = state.written
    return Result(state.run_id, state.base, tree, written.tip, written.tree, author, plans)


def _of_batch(batch: KnownBatch) -> Result:
    name, last = batch.batch_id, batch.state().latest_fold
    if last is None or last.ended is None or not last.ended.tip:
        raise UnknownRun(f"batch {name} has no result; `fanfold status {name}`")
    batch.engine.batches.fetch(name)
    artifacts, repository = batch.engine.artifacts, batch.project.repository
    base, plans = batch.state().base, list[PlanAsRun]()
    if artifacts.exists(run_file(last.run, MANIFEST)):
        for part in load_request(artifacts, last.run).parts:
            data = load_plan(artifacts, load_request(artifacts, part.run))
            plans.append(PlanAsRun(part.plan, data))
    tree, author = repository.tree_of(base), repository.author()
    return Result(name, base, tree, last.ended.tip, last.ended.tree, author, plans)


def _around_edits(project: Project, result: Result) -> tuple[str, str, list[dict[str, str]]]:
    """Base and tip of the result, and what to warn of.

    Where a plan or a list of tracks was edited since, both are with it as it is now.
    """
    repository, warnings = project.repository, list[dict[str, str]]()
    edited, kept = _with_lists(project, result)
    for plan in result.plans:
        marked = repository.read(result.tree, plan.path)
        file = project.root / plan.path
        now = file.read_bytes() if file.is_file() else None
        if marked is None or now in (plan.data, marked):
            continue
        if now is None:
            warnings.append(_gone(plan.path))
            edited = repository.without(edited, plan.path)
            kept = repository.without(kept, plan.path)
            continue
        parsed = [formats.parse(data, plan.path) for data in (plan.data, marked, now)]
        carried = carry_over(*parsed)
        warnings += _warnings(plan.path, carried)
        edited = repository.replace(edited, plan.path, now)
        kept = repository.replace(kept, plan.path, carried.data)
    if edited == result.base_tree:
        return result.base, result.tip, warnings
    when, author = project.clock.now(), result.author
    base = repository.commit(edited, result.base, "fanfold: the plan as edited\n", when, author)
    message = "conductor(plan): Keep what was edited while the run went on\n"
    return base, repository.commit(kept, result.tip, message, when, author), warnings


def _with_lists(project: Project, result: Result) -> tuple[str, str]:
    """The trees of base and result with every list of tracks that was edited as it is now.

    The result's has the signs that the batch set.
    """
    edited, kept = result.base_tree, result.tree
    tracks = {basename(dirname(plan.path)) for plan in result.plans}
    lists = {path for plan in result.plans for path in control_files(plan.path)}
    for path in sorted(path for path in lists if basename(path) == track_list.NAME):
        then, marked = (project.repository.read(tree, path) for tree in (edited, kept))
        file = project.root / path
        now = file.read_bytes() if file.is_file() else None
        if then is None or marked is None or now is None or then == marked or now in (then, marked):
            continue
        carried = track_list.carry_over(then, marked, now, tracks)
        edited = project.repository.replace(edited, path, now)
        kept = project.repository.replace(kept, path, carried)
    return edited, kept


def _gone(plan: str) -> dict[str, str]:
    text = f"{plan} is no longer there; the work of its tasks is in the result, its marks are not"
    return {"code": "plan_gone", "text": text}


def _warnings(plan: str, carried: CarriedOver) -> list[dict[str, str]]:
    """What the marks say less of than the result holds, because the plan was edited."""
    lost = [
        f"{plan} no longer holds the task {title!r}; its work is in the result"
        for title in carried.lost
    ]
    changed = [
        f"{plan}: the task {title!r} was edited while the run went on; "
        "its work is that of the earlier wording"
        for title in carried.changed
    ]
    return [
        *({"code": "task_vanished", "text": text} for text in lost),
        *({"code": "task_changed", "text": text} for text in changed),
    ]


def _undo(project: Project, args: argparse.Namespace) -> int:
    from fanfold.adapters.git.apply import undo

    batch = find_batch(project, args)
    name = batch.batch_id if batch else find_run(project, args).run_id
    undone = undo(project.root, run=name)
    if args.json:
        say_json({"schema": "fanfold.apply/1", **msgspec.to_builtins(undone)})
    else:
        say(f"took the result of run {undone.run} back; its files are as before")
    return 0
