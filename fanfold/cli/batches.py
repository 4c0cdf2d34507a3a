"""Several plans as one batch: choosing them, what one cap pays for, and starting it."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from graphlib import CycleError, TopologicalSorter
from posixpath import basename, dirname
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from fanfold.cli.batch_drive import report_batch
from fanfold.cli.consent import ask_for_cap
from fanfold.cli.engines import LOCAL, engine_of
from fanfold.cli.needs import needs_first, unmet_needs
from fanfold.cli.output import counted, say, say_json, tell
from fanfold.cli.plans import known_tracks, plans_of, read_plan
from fanfold.cli.pricing import estimate_of, learned
from fanfold.cli.request import base_of, build_request, tell_of, tell_of_plan
from fanfold.cli.selection import graph_of
from fanfold.errors import UserError
from fanfold.plan.view import plan_json, plan_text
from fanfold.run.batch import opening
from fanfold.run.batch_events import BatchRequested, TrackSpec
from fanfold.run.batch_view import empty_view
from fanfold.run.money import dollars
from fanfold.steps.batch_request import Batch
from fanfold.steps.request import run_identity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fanfold.bootstrap import Project
    from fanfold.cli.engines import Engine
    from fanfold.plan.model import Graph, Plan
    from fanfold.steps.request import Request


class Chosen(NamedTuple):
    """A plan of the batch with its track, if it is one's; `needs` are ids of others."""

    id: str
    plan: Plan
    graph: Graph
    needs: tuple[str, ...]


def run_batch(project: Project, args: argparse.Namespace) -> int:
    """`fanfold run` of several plans."""
    if args.only or args.phase:
        raise UserError("--only and --phase choose within one plan; name a single one")
    chosen = choose(project, args)
    if not chosen:
        return _nothing_to_do(as_json=args.json)
    if args.dry_run:
        return _rehearse(project, chosen, args)
    return _start(project, chosen, args)


def _start(project: Project, chosen: Sequence[Chosen], args: argparse.Namespace) -> int:
    cap = args.budget or project.settings.cap
    cap = cap or ask_for_cap(project, [each.graph for each in chosen], args)
    project.prepare()
    engine = engine_of(project, args.engine)
    with ExitStack() as claims:
        for each in chosen:
            claims.enter_context(engine.claimed(each.plan.path))
        batch = batch_of(project, chosen, args, cap)
        for each in chosen:
            tell_of_plan(each.plan, each.graph)
        _tell_funding(batch.asked)
        plans, name = {each.id: each.plan.data for each in chosen}, batch.asked.batch_id
        engine.batches.submit(batch, plans)
        if args.detach:
            return _detach(engine, name, as_json=args.json)
        state = engine.batches.drive(name)
    return report_batch(engine, state, as_json=args.json)


def choose(project: Project, args: argparse.Namespace) -> list[Chosen]:
    """The plans with something to do, in order; needs of tracks that are done are met."""
    found = known_tracks(project)
    by_plan = {track.plan: track for track in found}
    chosen: list[Chosen] = []
    for path in plans_of(project, args, found):
        plan = read_plan(project, path)
        graph = graph_of(plan, args)
        if not graph.units:
            tell(f"nothing to do: no task to run in {path}")
            continue
        track = by_plan.get(path)
        name = track.id if track else basename(dirname(path)) or path
        needs = unmet_needs(track, found) if track else ()
        chosen.append(Chosen(name, plan, graph, needs))
    if args.all_open:
        chosen = _ready(chosen)
    return _checked(chosen)


def _ready(chosen: list[Chosen]) -> list[Chosen]:
    """Without the tracks that depend on one with which nothing can be done now."""
    names = {each.id for each in chosen}
    stuck = next((each for each in chosen if not names.issuperset(each.needs)), None)
    if stuck is None:
        return chosen
    missing = next(need for need in stuck.needs if need not in names)
    tell(f"left out: {stuck.id} depends on {missing}, with which nothing can be done now")
    return _ready([each for each in chosen if each is not stuck])


def _checked(chosen: list[Chosen]) -> list[Chosen]:
    """Raises `UserError` for two of a name, a cycle, or a need that nobody is about to meet."""
    names = [each.id for each in chosen]
    double = {name for name in names if names.count(name) > 1}
    if double:
        raise UserError(f"two plans are called {sorted(double)[0]!r}; run them one after the other")
    for each in chosen:
        missing = [need for need in each.needs if need not in names]
        if missing:
            raise UserError(needs_first(each.id, missing[0]))
    try:
        TopologicalSorter({each.id: each.needs for each in chosen}).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        raise UserError(f"tracks depend on each other in a circle: {' → '.join(circle)}") from None
    return chosen


def batch_of(
    project: Project, chosen: Sequence[Chosen], args: argparse.Namespace, cap: int
) -> Batch:
    """The batch that is asked for, under a cap in micro-dollars; nothing is written.

    Raises `UserError` as `build_request` does.
    """
    base = base_of(project, [each.plan for each in chosen], args)
    requests = {each.id: build_request(project, each.plan, args, cap, base) for each in chosen}
    some = requests[chosen[0].id]
    name = _identity(some, chosen, args)
    if args.engine != LOCAL:
        requests = {track: _named(request, name) for track, request in requests.items()}
    tell_of(some)
    return Batch(
        asked=BatchRequested(
            batch_id=name,
            base=base.commit,
            tracks=tuple(_specs(project, chosen, args, requests)),
            cap=cap,
            slice=some.limits.slice,
            concurrency=some.limits.concurrency,
            gates=some.options.gates,
        ),
        base_tree=base.tree,
        requests={track: _of_batch(request, name) for track, request in requests.items()},
    )


def _identity(some: Request, chosen: Sequence[Chosen], args: argparse.Namespace) -> str:
    """The batch's name; in the cloud, who asks for the same twice means one batch."""
    plans = "".join(each.plan.sha256 for each in chosen)
    nonce = uuid.uuid4().hex if args.engine == LOCAL or args.rerun else ""
    return run_identity(some.project, some.branch, some.base, plans, f"batch/{nonce}")


def _named(request: Request, batch_id: str) -> Request:
    """Another run than one of the same plan alone."""
    plan = request.plan_sha256
    name = run_identity(request.project, request.branch, request.base, plan, batch_id)
    return replace(request, run_id=name)


def _of_batch(request: Request, batch_id: str) -> Request:
    return replace(request, options=replace(request.options, batch=batch_id))


def _specs(
    project: Project,
    chosen: Iterable[Chosen],
    args: argparse.Namespace,
    requests: Mapping[str, Request],
) -> Iterator[TrackSpec]:
    """What each track likely needs, within the slices that its attempts get."""
    experience = learned(project.settings, args)
    for each in chosen:
        expected = estimate_of(project.settings, each.graph, args, experience)
        most = expected.attempts * project.settings.slice
        yield TrackSpec(
            id=each.id,
            plan=each.plan.path,
            title=each.plan.title or each.id,
            run=requests[each.id].run_id,
            need=min(round(expected.dollars.likely), most),
            most=most,
            units=expected.attempts,
            needs=each.needs,
        )


def _tell_funding(asked: BatchRequested) -> None:
    """Before a cent is spent: what fits and what does not. Raises `UserError` if nothing does."""
    paid = opening(asked)
    needs = {track.id: track.need for track in asked.tracks}
    if not paid.fresh:
        least = min(needs, key=needs.__getitem__)
        raise UserError(
            f"a cap of ${dollars(asked.cap)} pays for none of {len(needs)} tracks: "
            f"{least} alone needs about ${dollars(needs[least])}"
        )
    funded = counted(len(paid.fresh), "track", "tracks")
    tell(f"${dollars(asked.cap)} fund {funded}: {', '.join(paid.fresh)}")
    for track in paid.unfunded:
        tell(
            f"does not fit: {track} needs about ${dollars(needs[track])}, ${dollars(paid.left)} "
            "are left; it runs if others end cheaper"
        )
    for track in paid.blocked:
        tell(f"does not fit: {track} depends on a track that is not funded")


def _funding_json(asked: BatchRequested, cap: int | None) -> dict[str, Any]:
    """What the cap pays for; without one everything."""
    paid = opening(asked)
    states = {
        **dict.fromkeys(paid.fresh, "funded"),
        **dict.fromkeys(paid.unfunded, "does_not_fit"),
        **dict.fromkeys(paid.blocked, "dependency_not_funded"),
    }
    tracks = [
        {"track": t.id, "state": states.get(t.id, "funded"), "need_usd": dollars(t.need)}
        for t in asked.tracks
    ]
    return {"cap_usd": dollars(cap) if cap else None, "tracks": tracks}


def _rehearse(project: Project, chosen: Sequence[Chosen], args: argparse.Namespace) -> int:
    """`--dry-run`: everything is looked at, nothing is written."""
    cap = args.budget or project.settings.cap
    batch = batch_of(
        project, chosen, args, cap or sum(_high(project, each, args) for each in chosen)
    )
    if args.json:
        _tell_funding(batch.asked)
        plans = [plan_json(each.plan, each.graph) for each in chosen]
        told = {"plans": plans, "funding": _funding_json(batch.asked, cap)}
        say_json({"schema": "fanfold.plans/1", **told})
        return 0
    for each in chosen:
        say(plan_text(each.plan, each.graph))
    _tell_funding(batch.asked)
    say("dry run: nothing was written or spent")
    return 0


def _high(project: Project, each: Chosen, args: argparse.Namespace) -> int:
    expected = estimate_of(project.settings, each.graph, args, learned(project.settings, args))
    return round(expected.dollars.high) + 1


def _detach(engine: Engine, batch_id: str, *, as_json: bool) -> int:
    log = engine.batches.detach(batch_id)
    if as_json:
        say_json({"schema": "fanfold.detached/1", "batch": batch_id, "log": log})
    else:
        where = "in the background" if engine.name == LOCAL else "in the cloud"
        say(f"batch {batch_id} goes on {where}; next: fanfold watch {batch_id}")
    return 0


def _nothing_to_do(*, as_json: bool) -> int:
    tell("nothing to do: no track has an open task")
    if as_json:
        say_json(empty_view())
    return 0
