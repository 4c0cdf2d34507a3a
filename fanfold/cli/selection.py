"""The part of a plan that `--only` and `--phase` choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.cli.predictions import predictions
from fanfold.errors import UserError
from fanfold.plan.graph import build

if TYPE_CHECKING:
    import argparse

    from fanfold.plan.model import Graph, Plan, Unit


def chosen_tasks(plan: Plan, args: argparse.Namespace) -> tuple[str, ...]:
    """The tasks that were asked for; none means all of them.

    Raises:
        UserError: the plan has no such task or phase.
    """
    known = {t.id for t in plan.tasks}
    for name in args.only:
        if name not in known:
            raise UserError(f"{plan.path} has no task {name!r}; its tasks: {_listed(known)}")
    if not args.phase:
        return tuple(args.only)
    phase = next((p for p in plan.phases if p.id == args.phase), None)
    if phase is None:
        phases = {p.id for p in plan.phases}
        raise UserError(f"{plan.path} has no phase {args.phase!r}; its phases: {_listed(phases)}")
    return (*args.only, *phase.tasks)


def graph_of(plan: Plan, args: argparse.Namespace) -> Graph:
    """The graph of the plan's open tasks, or of the chosen ones among them."""
    predicted = predictions(plan, args)
    graph = build(plan, unit=args.unit, parallel=args.parallel, predicted=predicted)
    only = set(chosen_tasks(plan, args))
    return _narrowed(graph, only) if only else graph


def _narrowed(graph: Graph, only: set[str]) -> Graph:
    units = tuple(u for u in graph.units if only & set(u.tasks))
    kept = {u.id: u for u in units}
    waves = tuple(tuple(n for n in wave if n in kept) for wave in graph.waves)
    waves = tuple(wave for wave in waves if wave)
    path = tuple(max((kept[n] for n in wave), key=_minutes).id for wave in waves)
    longest = sum(kept[n].minutes for n in path)
    return replace(
        graph,
        units=tuple(replace(u, covers=tuple(c for c in u.covers if c in kept)) for u in units),
        waves=waves,
        critical_path=path,
        speedup=sum(map(_minutes, units)) / longest if longest else 1.0,
    )


def _minutes(unit: Unit) -> float:
    return unit.minutes


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
