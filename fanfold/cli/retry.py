"""`fanfold retry`: another attempt of a task, from the last one's patch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.bootstrap import prices_of
from fanfold.cli.drive import report
from fanfold.cli.engines import LOCAL
from fanfold.cli.money import budget
from fanfold.cli.runs import add_run_argument, find_run, is_kept, project_of
from fanfold.errors import RunBusy, UnknownRun, UserError
from fanfold.run.events import RetryRequested
from fanfold.run.retries import can_be_retried
from fanfold.run.view import outcome_of, unit_of

if TYPE_CHECKING:
    import argparse

    from fanfold.cli.runs import Run
    from fanfold.run.state import RunState, UnitState

EXAMPLES = """\
examples:
  fanfold retry 3fa9 1.2 --hint "the parser is in lib/, not in src/"
  fanfold retry 3fa9 1.2 --model claude-opus-5-5 --budget 8
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("task", metavar="TASK", help="a task that an attempt has worked on")
    parser.add_argument("--hint", default="", metavar="TEXT", help="told to the agent")
    parser.add_argument("--model", default="", metavar="NAME", help="the model that tries it")
    parser.add_argument("--budget", type=budget, metavar="USD", help="raise the run's cap")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    run = find_run(project, args)
    state = run.journal().state
    unit = retried(run, state, args.task)
    if args.model:
        prices_of(project.settings).worst_case(args.model, 1, 1)
    if args.budget is not None and args.budget < state.spent:
        raise UserError(f"--budget is below what run {state.run_id} has spent already")
    word = RetryRequested(unit.spec.id, args.hint, args.model, by="user")
    run.journal().append(word, actor="user")
    return report(run.engine.resume(run.run_id, args.budget), as_json=args.json)


def retried(run: Run, state: RunState, task: str) -> UnitState:
    """The unit of `task`, which can be tried again now.

    Raises:
        UserError: it cannot, or this is not the place.
        RunBusy: the run is under way.
    """
    unit = stopped(run, state, task)
    if not can_be_retried(unit):
        why = "no attempt has worked on it" if not unit.tries else f"it is {unit.status.value}"
        raise UserError(f"task {task} of run {state.run_id} cannot be tried again: {why}")
    return unit


def stopped(run: Run, state: RunState, task: str) -> UnitState:
    """The unit of `task` in a run of this machine that nobody drives. Raises as `retried` does."""
    if run.engine.name != LOCAL:
        raise UserError(f"run {state.run_id} is not on this machine; start it again there")
    if run.engine.is_driven(run.run_id) or outcome_of(state) is None:
        raise RunBusy(f"run {state.run_id} is under way; wait, or `fanfold cancel` it first")
    if state.options.batch:
        how = f"`fanfold resume {state.options.batch}`"
        raise UserError(f"run {state.run_id} belongs to a batch, which has its money: {how}")
    if not is_kept(run):
        raise UnknownRun(f"run {state.run_id} was cleaned and cannot go on; start a new one")
    unit = unit_of(state, task)
    if unit is None:
        known = ", ".join(t.id for t in state.tasks)
        raise UnknownRun(f"run {state.run_id} has no task {task!r}; its tasks: {known}")
    return unit
