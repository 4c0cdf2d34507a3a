"""`decide` for batches: what is started next, or waited for. Pure and total."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from fanfold.run.batch_events import BatchRequested, FoldStarted, TrackFunded
from fanfold.run.batch_state import BatchState, Standing, TrackState
from fanfold.run.funding import funding, in_order
from fanfold.run.state import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanfold.run.batch_state import FoldState
    from fanfold.run.funding import Funding

ARBITERS = 2
"""Slices that a fold in the middle of a batch may spend."""


class Start(msgspec.Struct, frozen=True):
    """Record these starts; the runs begin once they are in the log."""

    events: tuple[TrackFunded | FoldStarted, ...]


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


def needs_of(state: BatchState, track: str) -> tuple[str, ...]:
    """What a track builds on directly: its needs, but for those that another of them needs too."""
    needs = state.tracks[track].spec.needs
    indirect = {n for need in needs for n in _ancestors(state, need)}
    return tuple(n for n in needs if n not in indirect)


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


def _startable(state: BatchState) -> tuple[TrackFunded | FoldStarted, ...]:
    """Tracks whose needs are met; what all their units could use besides is theirs meanwhile."""
    paid = funding(state)
    spare = paid.left - (state.slice if len(state.tracks) > 1 else 0)
    events: list[TrackFunded | FoldStarted] = []
    for name, amount in paid.promised.items():
        track = state.tracks[name]
        if not all(state.tracks[n].passed for n in track.spec.needs):
            continue
        direct = needs_of(state, name)
        joint = _joint(state, direct) if len(direct) > 1 else None
        if len(direct) > 1 and joint is None:
            if not events and (join := _join(state, direct, paid)):
                return (join,)
            continue
        extra = max(0, min(spare, track.spec.most - amount)) if track.ended is None else 0
        spare -= extra
        events.append(
            TrackFunded(
                name,
                track.spent + amount + extra,
                track.generation + 1,
                joint.run if joint else "",
            )
        )
    return tuple(events)


def _joint(state: BatchState, needs: Iterable[str]) -> FoldState | None:
    """The fold of what a track needs, with all of it in."""
    inputs = state.inputs(_closure(state, needs))
    found = (f for f in state.folds.values() if f.inputs == inputs and not f.started.last)
    return next((f for f in found if f.ended and len(f.ended.taken) == len(inputs)), None)


def _join(state: BatchState, needs: Iterable[str], paid: Funding) -> FoldStarted | None:
    """A fold of what a track needs, unless one is under way or was in vain."""
    closure = _closure(state, needs)
    inputs = state.inputs(closure)
    tried = [f for f in state.folds.values() if f.inputs == inputs and not f.started.last]
    cap = max(0, min(paid.left, ARBITERS * state.slice))
    if not tried:
        return FoldStarted(fold_name(state), closure, cap, last=False)
    last = tried[-1]
    again = last.standing is Standing.OPEN
    return FoldStarted(last.run, closure, last.spent + cap, last=False) if again else None


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


def _closure(state: BatchState, needs: Iterable[str]) -> tuple[str, ...]:
    wanted = set(needs).union(*(_ancestors(state, need) for need in needs))
    return tuple(name for name in in_order(state) if name in wanted)


def _ancestors(state: BatchState, track: str) -> set[str]:
    found: set[str] = set()
    queue = list(state.tracks[track].spec.needs)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(state.tracks[name].spec.needs)
    return found


def opening(asked: BatchRequested) -> Funding:
    """The funding of a batch before anything was started."""
    tracks = {t.id: TrackState(t) for t in asked.tracks}
    return funding(BatchState(cap=asked.cap, slice=asked.slice, tracks=tracks))
