"""`fanfold reject`: send a gate's phase back or keep a held patch out, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.known_batches import run_with_gate
from fanfold.cli.output import say, say_json
from fanfold.cli.runs import add_run_argument, project_of
from fanfold.cli.told import told
from fanfold.run.events import ApprovalDenied
from fanfold.run.view import run_view

if TYPE_CHECKING:
    import argparse

    from fanfold.run.events import UnitSpec

EXAMPLES = """\
examples:
  fanfold reject 3fa9 1.4 --reason "the button must stay visible"
  fanfold resume 3fa9     the phase's tasks start again from where it began
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("gate", nargs="?", metavar="GATE", help="the task that waits")
    parser.add_argument(
        "--reason", type=told, required=True, metavar="TEXT", help="told to the agents"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _rejected(spec: UnitSpec) -> str:
    if spec.kind != "gate":
        return f"the patch of {spec.id} is rejected and stays out"
    return f"gate {spec.id} is rejected; reopened: {', '.join(spec.covers) or 'nothing'}"


def run(args: argparse.Namespace) -> int:
    run, gate = run_with_gate(project_of(args), args)
    state = run.engine.say(run.run_id, ApprovalDenied(gate, args.reason, by="user"))
    if args.json:
        say_json(run_view(state))
    else:
        resumed = state.options.batch or state.run_id
        say(f"{_rejected(state.units[gate].spec)}; next: fanfold resume {resumed}")
    return 0
