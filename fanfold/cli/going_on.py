"""Going on with a run that stopped, after a person changed something of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.drive import report
from fanfold.cli.engines import LOCAL
from fanfold.cli.known_batches import KnownBatch
from fanfold.cli.runs import is_kept
from fanfold.errors import RunBusy, UnknownRun, UserError
from fanfold.run.view import outcome_of, unit_of

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.cli.runs import Run
    from fanfold.run.state import RunState, UnitState


def stopped(run: Run, state: RunState, task: str) -> UnitState:
    """The unit of `task` in a run of this machine that nobody drives.

    Raises:
        UserError: there is none, or this is not the place.
        RunBusy: the run is under way.
    """
    if run.engine.name != LOCAL:
        raise UserError(f"run {state.run_id} is not one of this machine; start the task anew there")
    if run.engine.is_driven(run.run_id) or outcome_of(state) is None:
        raise RunBusy(f"run {state.run_id} is not over: wait for it, resume it or cancel it first")
    if not is_kept(run):
        raise UnknownRun(f"run {state.run_id} was cleaned and cannot go on; start a new one")
    unit = unit_of(state, task)
    if unit is None:
        known = ", ".join(t.id for t in state.tasks)
        raise UnknownRun(f"run {state.run_id} has no task {task!r}; its tasks: {known}")
    return unit


def go_on(project: Project, run: Run, args: argparse.Namespace) -> int:
    """Resume the run, or the batch that it belongs to, print the result and give the exit code."""
    batch = run.journal().state.options.batch
    if batch:
        from fanfold.cli.batch_commands import resume

        return resume(KnownBatch(project, batch), args)
    return report(run.engine.resume(run.run_id, args.budget), as_json=args.json)
