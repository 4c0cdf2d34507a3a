"""The batch as it was asked for, and the requests of its runs as they are due."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from fanfold.errors import InvalidStream
from fanfold.run.artifacts import batch_file, run_file
from fanfold.run.batch_events import BatchRequested, batch_stream
from fanfold.run.batch_state import TrackState
from fanfold.run.decoders import learn
from fanfold.run.lineage import needs_of
from fanfold.steps.fold_tracks import plan_of
from fanfold.steps.request import PLAN, Part, Request, load_plan, load_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanfold.ports import ArtifactStore, EventStore
    from fanfold.run.batch_events import Settled
    from fanfold.run.batch_state import BatchState, FoldState

MANIFEST = "batch.json"


class Batch(msgspec.Struct, frozen=True):
    """`batch.json`: the batch, and by track the request of its run but for base and cap."""

    asked: BatchRequested
    base_tree: str
    requests: dict[str, Request]


class Due(NamedTuple):
    """A run to submit: its request, its plan, and the runs on whose results it builds."""

    request: Request
    plan: bytes
    builds_on: tuple[str, ...]


def submit_batch(
    events: EventStore, artifacts: ArtifactStore, batch: Batch, plans: Mapping[str, bytes]
) -> None:
    """Write down what the batch is, then the event that makes it exist."""
    put_batch(artifacts, batch, plans)
    events.append(batch_stream(batch.asked.batch_id), 0, [batch.asked])


def put_batch(artifacts: ArtifactStore, batch: Batch, plans: Mapping[str, bytes]) -> None:
    """Write the plans, by track, and then the manifest."""
    for track in batch.asked.tracks:
        artifacts.put(run_file(track.run, PLAN), plans[track.id])
    artifacts.put(batch_file(batch.asked.batch_id, MANIFEST), msgspec.json.encode(batch))


def project_of_batch(artifacts: ArtifactStore, batch_id: str) -> str:
    """What the repository of a batch is called. Raises `ArtifactMissing`."""
    requests = load_batch(artifacts, batch_id).requests
    return next(iter(requests.values())).project


def load_batch(artifacts: ArtifactStore, batch_id: str) -> Batch:
    """Raises `ArtifactMissing` where its files were removed."""
    return msgspec.json.decode(artifacts.get(batch_file(batch_id, MANIFEST)), type=Batch)


def due_run(batch: Batch, state: BatchState, run_id: str, artifacts: ArtifactStore) -> Due:
    """What to submit for a run of the batch that is under way."""
    part = state.live[run_id]
    if isinstance(part, TrackState):
        return _track_run(batch, state, part, artifacts)
    return _fold_run(batch, state, part, artifacts)


def branch_of_batch(batch_id: str) -> str:
    """The branch that holds the results of all tracks."""
    return f"fanfold/{batch_id}/all"


def _track_run(batch: Batch, state: BatchState, track: TrackState, artifacts: ArtifactStore) -> Due:
    asked = batch.requests[track.spec.id]
    base, tree, builds_on = _start_of(batch, state, track)
    limits = replace(asked.limits, cap=track.granted, slice=min(asked.limits.slice, track.granted))
    snapshot = batch.asked.base if base != batch.asked.base else ""
    request = replace(asked, base=base, base_tree=tree, limits=limits, snapshot=snapshot)
    return Due(request, load_plan(artifacts, request), builds_on)


def _start_of(
    batch: Batch, state: BatchState, track: TrackState
) -> tuple[str, str, tuple[str, ...]]:
    """Commit and tree that the track builds on, the base or a run's result, and that run."""
    needs = needs_of(state, track.spec.id)
    if not needs:
        return batch.asked.base, batch.base_tree, ()
    part = state.folds[track.fold] if len(needs) > 1 else state.tracks[min(needs)]
    below = part.ended
    if below is None:
        raise InvalidStream(f"track {track.spec.id!r} was started before what it needs had ended")
    if not below.tip:
        return batch.asked.base, batch.base_tree, ()
    return below.tip, below.tree, (part.run,)


def _fold_run(batch: Batch, state: BatchState, fold: FoldState, artifacts: ArtifactStore) -> Due:
    batch_id = batch.asked.batch_id
    parts = tuple(_part(state, name, artifacts) for name in fold.started.tracks)
    plan = plan_of(batch_id, parts)
    common = batch.requests[parts[0].track]
    cap = fold.started.cap
    request = replace(
        common,
        run_id=fold.run,
        plan_path=f".ai-workspace/batches/{batch_id}/plan.md",
        plan_sha256=hashlib.sha256(plan).hexdigest(),
        base=batch.asked.base,
        base_tree=batch.base_tree,
        limits=replace(common.limits, cap=cap, slice=min(common.limits.slice, cap)),
        options=replace(common.options, gates="ask", candidates=1, only=()),
        predicted={},
        parts=parts,
        result=branch_of_batch(batch_id) if fold.started.last else f"fanfold/{fold.run}",
    )
    return Due(request, plan, tuple(part.run for part in parts))


def _part(state: BatchState, name: str, artifacts: ArtifactStore) -> Part:
    """A track's result; what an earlier fold settled for it is not settled again."""
    track = state.tracks[name]
    if track.ended is None:
        raise InvalidStream(f"track {name!r} is folded before it has ended")
    asked = load_request(artifacts, track.spec.run)
    known = _settled(state, name, track.tip)
    return Part(
        track=name,
        title=track.spec.title,
        plan=track.spec.plan,
        run=track.spec.run,
        tip=track.tip,
        base_tree=known.base_tree if known else asked.base_tree,
        tree=known.tree if known else track.ended.merged_tree,
        needs=track.spec.needs,
    )


def _settled(state: BatchState, track: str, tip: str) -> Settled | None:
    ended = (f.ended for f in state.folds.values() if f.ended)
    found = (s for end in ended for s in end.settled if (s.track, s.tip) == (track, tip))
    return next(found, None)


learn(Batch)
