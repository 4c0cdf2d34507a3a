"""`fanfold cancel`: stop a run; what is merged is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.known_batches import find_batch
from fanfold.cli.output import say, say_json
from fanfold.cli.runs import add_run_argument, find_run, project_of
from fanfold.errors import UnknownRun
from fanfold.run.events import CancelRequested
from fanfold.run.view import outcome_of, run_view

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  fanfold cancel         the latest run
  fanfold cancel 3fa9
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    batch = find_batch(project, args)
    if batch is not None:
        from fanfold.cli.batch_commands import cancel

        return cancel(batch, args)
    run = find_run(project, args)
    state = run.journal().state
    if state.outcome is not None:
        raise UnknownRun(f"run {state.run_id} has ended already: {state.outcome.value}")
    waiting = outcome_of(state)
    state = run.engine.say(run.run_id, CancelRequested(by="user"))
    if args.json:
        say_json(run_view(state))
    elif state.outcome is None:
        say(f"run {state.run_id} is told to stop; its attempts end with what they have")
    else:
        say(f"run {state.run_id} is cancelled" + (" at its gate" if waiting else ""))
    return 0
