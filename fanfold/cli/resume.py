"""`fanfold resume`: go on with a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.drive import report
from fanfold.cli.engines import LOCAL
from fanfold.cli.known_batches import find_batch
from fanfold.cli.money import budget
from fanfold.cli.runs import add_run_argument, find_run, is_kept, project_of
from fanfold.errors import UnknownRun, UserError
from fanfold.run.state import Outcome

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  fanfold resume                   the latest run, after Ctrl-C, a crash or an approved gate
  fanfold resume 3fa9 --budget 10  after the cap was spent, with a higher one
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("--budget", type=budget, metavar="USD", help="raise the run's cap")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    batch = find_batch(project, args)
    if batch is not None:
        from fanfold.cli.batch_commands import resume

        return resume(batch, args)
    run = find_run(project, args)
    state = run.journal().state
    if state.options.batch:
        how = f"`fanfold resume {state.options.batch}` goes on with all of it"
        raise UserError(f"run {run.run_id} belongs to batch {state.options.batch}: {how}")
    for_good = state.rejected and run.engine.name == LOCAL
    if state.outcome is Outcome.COMPLETED or for_good:
        return report(state, as_json=args.json)
    if not is_kept(run):
        raise UnknownRun(f"run {state.run_id} was cleaned and cannot go on; start a new one")
    if args.budget is not None and args.budget < state.spent:
        raise UserError(f"--budget is below what run {state.run_id} has spent already")
    return report(run.engine.resume(run.run_id, args.budget), as_json=args.json)
