"""`fanfold approve`: open a gate, or let a held patch in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.known_batches import run_with_gate
from fanfold.cli.output import say, say_json
from fanfold.cli.runs import add_run_argument, project_of
from fanfold.run.events import ApprovalGranted
from fanfold.run.view import run_view

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  fanfold approve                the one gate or held patch that waits in the latest run
  fanfold approve 3fa9 1.4 && fanfold resume 3fa9
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("gate", nargs="?", metavar="GATE", help="the task that waits")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    run, gate = run_with_gate(project_of(args), args)
    state = run.engine.say(run.run_id, ApprovalGranted(gate, by="user"))
    if args.json:
        say_json(run_view(state))
    else:
        held = state.units[gate].spec.kind != "gate"
        what = f"the patch of {gate}" if held else f"gate {gate}"
        resumed = state.options.batch or state.run_id
        say(f"{what} of run {state.run_id} is approved; next: fanfold resume {resumed}")
    return 0
