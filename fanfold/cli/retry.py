"""`fanfold retry`: another attempt of a task, from the last one's patch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.bootstrap import prices_of
from fanfold.cli.going_on import go_on, record, stopped
from fanfold.cli.money import budget
from fanfold.cli.runs import add_run_argument, find_run, project_of
from fanfold.cli.told import told
from fanfold.errors import UserError
from fanfold.run.events import RetryRequested
from fanfold.run.retries import can_be_retried
from fanfold.run.state import Outcome
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
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
    parser.add_argument("--hint", type=told, default="", metavar="TEXT", help="told to the agent")
    parser.add_argument("--model", default="", metavar="NAME", help="the model that tries it")
    parser.add_argument("--budget", type=budget, metavar="USD", help="raise the run's cap")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    run = find_run(project, args)
    state = run.journal().state
    unit = stopped(run, state, args)
    _check(state, unit, args)
    _examine(project, run, args.model)
    word = RetryRequested(unit.spec.id, args.hint, args.model, by="user")
    record(run, word, args.budget)
    return go_on(project, run, args)


def _examine(project: Project, run: Run, model: str) -> None:
    """Whether the run, with that model, could go on at all, before anything is written down."""
    request = load_request(run.engine.artifacts, run.run_id)
    if model:
        prices_of(project.settings).worst_case(model, 1, 1)
        request = replace(request, options=replace(request.options, model=model))
    run.engine.examine(request)


def _check(state: RunState, unit: UnitState, args: argparse.Namespace) -> None:
    """Raises `UserError` for what cannot be tried again."""
    task = f"task {args.task} of run {state.run_id}"
    if not can_be_retried(unit):
        why = "no attempt has worked on it" if not unit.tries else f"it is {unit.status}"
        raise UserError(f"{task} cannot be tried again: {why}")
    if state.options.batch and state.outcome is Outcome.COMPLETED:
        raise UserError(f"{task} is done, and its track folded: run the track again by itself")
