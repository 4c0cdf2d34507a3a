"""What a plan would cost, for `run`, `plan` and `estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.bootstrap import open_project, prices_of
from fanfold.cli.money import about
from fanfold.cli.output import counted
from fanfold.errors import InvalidRepository, UnpricedModel
from fanfold.run.estimate import estimate
from fanfold.run.experience import Experience
from fanfold.steps.experience import experience_of

if TYPE_CHECKING:
    import argparse

    from fanfold.plan.model import Graph
    from fanfold.run.estimate import Estimate
    from fanfold.settings import Settings


def learned(settings: Settings, args: argparse.Namespace) -> Experience:
    """What finished runs of this repository tell; nothing where there is none."""
    try:
        project = open_project(Path(args.directory or "."), unborn=True)
    except InvalidRepository:
        return Experience()
    return experience_of(project.events, project.artifacts, settings.model.played_by)


def estimate_of(
    settings: Settings, graph: Graph, args: argparse.Namespace, experience: Experience
) -> Estimate:
    """The estimate for the graph's work with the model and concurrency that are asked for.

    Raises:
        UnpricedModel: the model has no known price.
    """
    model = args.model or settings.model.name
    prices = prices_of(settings)
    work = [u.id for u in graph.units if u.kind.value == "work"]
    whole = estimate(
        graph.waves,
        work,
        concurrency=args.concurrency or settings.limits.concurrency,
        cost=lambda usage: prices.cost(model, usage),
        experience=experience,
    )
    whole = whole if args.candidates == 1 else whole.times(args.candidates)
    return whole.reviewed() if getattr(args, "review", False) else whole


def price_line(settings: Settings, graph: Graph, args: argparse.Namespace) -> str:
    """The estimate in a line for a person."""
    try:
        expected = estimate_of(settings, graph, args, learned(settings, args))
    except UnpricedModel as error:
        return f"price: unknown ({error})"
    cost = expected.dollars
    return (
        f"price with {args.model or settings.model.name}: about {about(cost.likely)} "
        f"({about(cost.low)} to {about(cost.high)}) for "
        f"{counted(expected.attempts, 'attempt', 'attempts')}; "
        f"conflicts, red checks and retries raise it, the cap bounds it\n"
        f"basis: {expected.basis} (certainty: {expected.sure})"
    )
