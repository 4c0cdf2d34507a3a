"""`decide` for batches: what is started next, or waited for. Pure and total."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from fanfold.run.batch_events import BatchRequested, FoldStarted, TracksFunded, TrackStarted
from fanfold.run.batch_state import BatchState, Standing, TrackState
from fanfold.run.funding import funding
from fanfold.run.lineage import in_order, is_joint, joint_of, lineage
from fanfold.run.state import Outcome

if TYPE_CHECKING:
    from fanfold.run.batch_state import FoldState
    from fanfold.run.funding import Funding

ARBITERS = 2
"""Slices that a fold in the middle of a batch may spend."""


class Start(msgspec.Struct, frozen=True):
    """Record these starts; the runs begin once they are in the log."""

    events: tuple[TracksFunded | TrackStarted | FoldStarted, ...]


class Await(msgspec.Struct, frozen=True):
    """See to it that these runs go on, until one of them ends or waits for a person."""

    runs: tuple[str, ...]


class Close(msgspec.Struct, frozen=True):
    """Write the report, and record how the batch ended."""

    outcome: Outcome


class Over(msgspec.Struct, frozen=True):
    """Nothing is left to do."""

    outcome: Outcome


BatchStep = Start | Await | Close | Over


def decide(state: BatchState) -> BatchStep:
    """The next step of the batch."""
    if state.outcome is not None:
        return Over(state.outcome)
    begin = () if state.cancelled else _startable(state)
    if begin:
        return Start(begin)
    if state.live:
        return Await(tuple(state.live))
    last = None if state.cancelled else _last_fold(state)
    return Start((last,)) if last else Close(verdict(state))


def verdict(state: BatchState) -> Outcome:
    """How a batch in which nothing can go on any more ends."""
    if state.cancelled:
        return Outcome.CANCELLED
    ends = {t.ended.outcome if t.ended else Outcome.INCOMPLETE for t in state.tracks.values()}
    last = state.latest_fold
    if last is not None and last.ended is not None:
        ends.add(last.ended.outcome)
    order = (Outcome.FAILED, Outcome.WAITING, Outcome.INCOMPLETE, Outcome.CANCELLED)
    found = next((outcome for outcome in order if outcome in ends), Outcome.COMPLETED)
    return Outcome.INCOMPLETE if found is Outcome.CANCELLED else found


def _startable(state: BatchState) -> tuple[TracksFunded | TrackStarted | FoldStarted, ...]:
    """First it is written down who is funded; then those start whose needs are met.

    What all the units of a track could use besides is its own meanwhile.
    """
    paid = funding(state)
    if paid.fresh:
        return (TracksFunded(tuple(paid.fresh)),)
    spare = paid.left - (state.slice if len(state.tracks) > 1 else 0)
    events: list[TrackStarted] = []
    for name, amount in (paid.kept | paid.more).items():
        track = state.tracks[name]
        if not all(state.tracks[n].passed for n in track.spec.needs):
            continue
        joint = joint_of(state, name)
        if is_joint(state, name) and not (joint and joint.ended):
            if joint is None or joint.standing is Standing.OPEN:
                return (_join(state, name, joint, paid),)
            continue
        extra = max(0, min(spare, track.spec.most - amount)) if name in paid.kept else 0
        spare -= extra
        cap = track.spent + amount + extra
        events.append(TrackStarted(name, cap, track.generation + 1, joint.run if joint else ""))
    return tuple(events)


def _last_fold(state: BatchState) -> FoldStarted | None:
    """The fold of every result there is, unless the last one was of the same."""
    results = tuple(name for name in in_order(state) if state.tracks[name].tip)
    last = state.latest_fold
    cap = max(0, state.available)
    if not results:
        return None
    if last is None or last.inputs != state.inputs(results):
        return FoldStarted(fold_name(state), results, cap)
    again = last.standing is Standing.OPEN
    return FoldStarted(last.run, results, last.spent + cap) if again else None


def fold_name(state: BatchState) -> str:
    """The name of the next fold's run: the same whoever asks."""
    text = f"{state.batch_id}/fold/{len(state.folds) + 1}"
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def opening(asked: BatchRequested) -> Funding:
    """The funding of a batch before anything was started."""
    tracks = {t.id: TrackState(t) for t in asked.tracks}
    return funding(BatchState(cap=asked.cap, slice=asked.slice, tracks=tracks))


def _join(state: BatchState, track: str, before: FoldState | None, paid: Funding) -> FoldStarted:
    """The fold of what a track needs, begun or taken up again."""
    cap = max(0, min(paid.left, ARBITERS * state.slice)) + (before.spent if before else 0)
    name = before.run if before else fold_name(state)
    return FoldStarted(name, lineage(state, track), cap, last=False)
