"""`fanfold reject`: send a gate's phase back, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.output import say, say_json
from fanfold.cli.runs import add_run_argument, journal_of, project_of, waiting_gate
from fanfold.run.events import ApprovalDenied
from fanfold.run.view import run_view

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  fanfold reject 3fa9 1.4 --reason "the button must stay visible"
  fanfold resume 3fa9     the phase's tasks start again from where it began
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("gate", nargs="?", metavar="GATE", help="the gate's task")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="told to the agents")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    journal = journal_of(project_of(args), args.run)
    gate = waiting_gate(journal.state, args.gate)
    event = ApprovalDenied(gate, args.reason, by="user")
    state = journal.append(event, actor="user")
    if args.json:
        say_json(run_view(state))
    else:
        covered = ", ".join(state.units[gate].spec.covers) or "nothing"
        say(f"gate {gate} is rejected; reopened: {covered}; next: fanfold resume {state.run_id}")
    return 0
