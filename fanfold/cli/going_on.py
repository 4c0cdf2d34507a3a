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
    from fanfold.steps.answer import Change


def stopped(run: Run, state: RunState, args: argparse.Namespace) -> UnitState:
    """The unit of the task that is named, in a run that has ended or waits for a person.

    Raises:
        UserError: there is none, or the new cap is spent already.
        RunBusy: the run is under way.
    """
    outcome, task = outcome_of(state), args.task
    # In the cloud somebody is at work on a run that waits: its execution waits with it.
    at_work = run.engine.name == LOCAL and run.engine.is_driven(run.run_id)
    if outcome is None or at_work:
        raise RunBusy(f"run {state.run_id} is not over: wait for it, resume it or cancel it first")
    if not is_kept(run):
        raise UnknownRun(f"run {state.run_id} was cleaned and cannot go on; start a new one")
    unit = unit_of(state, task)
    if unit is None:
        known = ", ".join(t.id for t in state.tasks)
        raise UnknownRun(f"run {state.run_id} has no task {task!r}; its tasks: {known}")
    if not state.options.batch and args.budget is not None and args.budget < state.spent:
        raise UserError(f"--budget is below what run {state.run_id} has spent already")
    return unit


def record(run: Run, change: Change, cap: int | None) -> None:
    """Write the change down; a batch takes it up with its next generation."""
    if run.journal().state.options.batch:
        run.engine.say(run.run_id, change)
    else:
        run.engine.change(run.run_id, change, cap)


def go_on(project: Project, run: Run, args: argparse.Namespace) -> int:
    """Resume the run, or the batch that it belongs to, print the result and give the exit code."""
    batch = run.journal().state.options.batch
    if batch:
        from fanfold.cli.batch_commands import resume

        return resume(KnownBatch(project, batch, run.engine), args)
    return report(run.engine.resume(run.run_id, args.budget), as_json=args.json)
