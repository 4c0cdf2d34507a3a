"""`fanfold plan`: what a run would do, before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.cli.output import say, say_json
from fanfold.cli.plans import find_plans, read_plan
from fanfold.cli.pricing import estimate_of
from fanfold.cli.run import add_choice, add_shape
from fanfold.cli.runs import project_of
from fanfold.errors import UnpricedModel
from fanfold.plan.graph import build
from fanfold.plan.view import plan_json, plan_text
from fanfold.run.money import dollars

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.plan.model import Graph

EXAMPLES = """\
examples:
  fanfold plan                                the open track
  fanfold plan conductor/tracks/auth/plan.md --parallel infer
  fanfold plan --json | jq '.waves'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_shape(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    views: list[dict[str, Any]] = []
    for path in find_plans(project, args.plan, args.track):
        plan = read_plan(project, path)
        graph = build(plan, unit=args.unit, parallel=args.parallel)
        if args.json:
            views.append(plan_json(plan, graph))
        else:
            say(plan_text(plan, graph))
            say(_price(project, graph, args))
    if args.json:
        say_json(views[0] if len(views) == 1 else {"schema": "fanfold.plans/1", "plans": views})
    return 0


def _price(project: Project, graph: Graph, args: argparse.Namespace) -> str:
    model = args.model or project.settings.model.name
    try:
        expected = estimate_of(project, graph, args)
    except UnpricedModel as error:
        return f"price: unknown ({error})"
    low, likely, high = (
        dollars(int(v))
        for v in (expected.dollars.low, expected.dollars.likely, expected.dollars.high)
    )
    return (
        f"price with {model}: about ${likely} (${low} to ${high}) for {expected.attempts} attempts;"
        f" conflicts, red checks and retries raise it, the cap bounds it"
    )
