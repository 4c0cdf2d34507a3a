"""`fanfold plan`: what a run would do, before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.cli.money import budget
from fanfold.cli.output import say, say_json
from fanfold.cli.plans import looked_at
from fanfold.cli.pricing import price_line
from fanfold.cli.run import add_choice, add_shape
from fanfold.cli.selection import graph_of
from fanfold.plan.view import plan_json, plan_text

if TYPE_CHECKING:
    import argparse


EXAMPLES = """\
examples:
  fanfold plan                                the open track
  fanfold plan conductor/tracks/auth/plan.md --parallel infer
  fanfold plan --json | jq '.waves'
  fanfold plan --split --budget 0.50          let an agent propose what may run side by side
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_shape(parser)
    parser.add_argument(
        "--split",
        action="store_true",
        help="one capped attempt proposes depends and files comments, as a diff of the plan",
    )
    parser.add_argument(
        "--budget", type=budget, metavar="USD", help="with --split: its cap (default: a slice)"
    )
    parser.add_argument("--yes", action="store_true", help="with --split: write it into the plan")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    if args.split:
        from fanfold.cli.split import split

        return split(args)
    settings, plans = looked_at(args)
    views: list[dict[str, Any]] = []
    for plan in plans:
        graph = graph_of(plan, args)
        if args.json:
            views.append(plan_json(plan, graph))
        else:
            say(plan_text(plan, graph))
            say(price_line(settings, graph, args))
    if args.json:
        say_json(views[0] if len(views) == 1 else {"schema": "fanfold.plans/1", "plans": views})
    return 0
