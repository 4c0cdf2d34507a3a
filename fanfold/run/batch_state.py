"""A batch as its events tell it, and the fold that tells it. Money in micro-dollars."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from fanfold.run import batch_events as b
from fanfold.run.events import CancelRequested
from fanfold.run.state import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fanfold.run.events import Recorded

Inputs = tuple[tuple[str, str], ...]


class Standing(StrEnum):
    """Where a track or a fold stands; `open` was not started, or is to be taken up again."""

    OPEN = "open"
    ACTIVE = "active"
    ENDED = "ended"


class TrackState(msgspec.Struct, frozen=True):
    """A track; its run may spend `granted`, `ended` is how it stood when it last ended.

    A `funded` one that has not started is kept what it needs.

    It is under way until it has ended in `generation` or later. It starts from the result of
    `fold`, where it needs several tracks.
    """

    spec: b.TrackSpec
    standing: Standing = Standing.OPEN
    funded: bool = False
    granted: int = 0
    generation: int = 0
    ended: b.TrackEnded | None = None
    fold: str = ""

    @property
    def run(self) -> str:
        return self.spec.run

    @property
    def spent(self) -> int:
        return self.ended.spent if self.ended else 0

    @property
    def committed(self) -> int:
        """What the batch's cap can spend on nothing else."""
        return self.granted if self.standing is Standing.ACTIVE else self.spent

    @property
    def passed(self) -> bool:
        """Whether what needs the track may start."""
        return self.standing is Standing.ENDED and self.ended is not None and self.ended.whole

    @property
    def tip(self) -> str:
        return self.ended.tip if self.ended else ""


class FoldState(msgspec.Struct, frozen=True):
    """A fold of results; `inputs` are the tracks with the tips of then."""

    started: b.FoldStarted
    inputs: Inputs
    standing: Standing = Standing.ACTIVE
    generation: int = 1
    ended: b.FoldEnded | None = None

    @property
    def run(self) -> str:
        return self.started.run

    @property
    def spent(self) -> int:
        return self.ended.spent if self.ended else 0

    @property
    def committed(self) -> int:
        return self.started.cap if self.standing is Standing.ACTIVE else self.spent


class BatchState(msgspec.Struct):
    """The fold of a batch's stream. `tracks` stand in the order in which they are funded."""

    batch_id: str = ""
    version: int = 0
    base: str = ""
    cap: int = 0
    slice: int = 0
    concurrency: int = 8
    gates: str = "ask"
    requested_at: datetime | None = None
    updated_at: datetime | None = None
    generation: int = 1
    tracks: dict[str, TrackState] = {}
    folds: dict[str, FoldState] = {}
    cancelled: bool = False
    outcome: Outcome | None = None

    @property
    def available(self) -> int:
        """What is neither spent nor some run's to spend; what is kept for tracks is in it."""
        parts = (*self.tracks.values(), *self.folds.values())
        return self.cap - sum(part.committed for part in parts)

    @property
    def spent(self) -> int:
        return sum(part.spent for part in (*self.tracks.values(), *self.folds.values()))

    @property
    def live(self) -> dict[str, TrackState | FoldState]:
        """The runs that are under way."""
        runs: dict[str, TrackState | FoldState] = {t.spec.run: t for t in self.tracks.values()}
        runs |= self.folds
        return {name: part for name, part in runs.items() if part.standing is Standing.ACTIVE}

    @property
    def latest_fold(self) -> FoldState | None:
        """The one that made the batch's branch, or is about to."""
        return next((f for f in reversed(self.folds.values()) if f.started.last), None)

    def inputs(self, tracks: Iterable[str]) -> Inputs:
        return tuple((name, self.tracks[name].tip) for name in tracks)

    def runs(self) -> Iterator[str]:
        """Every run that was started, tracks first."""
        yield from (t.spec.run for t in self.tracks.values() if t.generation)
        yield from self.folds


def fold(stream: Iterable[Recorded], state: BatchState | None = None) -> BatchState:
    """The state after `stream`, from `state` (None: a new batch); total, as that of a run."""
    given = state if state is not None else BatchState()
    state = replace(given, tracks=dict(given.tracks), folds=dict(given.folds))
    for event in stream:
        if event.version > state.version:
            state.version, state.updated_at = event.version, event.timestamp
            handler = HANDLERS.get(type(event.data))
            if handler is not None:
                handler(state, event.data, event.timestamp)
    return state


def _requested(state: BatchState, data: b.BatchRequested, at: datetime) -> None:
    if state.requested_at is None:
        state.batch_id, state.base, state.requested_at = data.batch_id, data.base, at
        state.cap, state.slice, state.concurrency = data.cap, data.slice, data.concurrency
        state.gates = data.gates
        state.tracks = {t.id: TrackState(t) for t in data.tracks}


def _funded(state: BatchState, data: b.TracksFunded, _: datetime) -> None:
    for name in data.tracks:
        if name in state.tracks:
            state.tracks[name] = replace(state.tracks[name], funded=True)


def _started(state: BatchState, data: b.TrackStarted, _: datetime) -> None:
    track = state.tracks.get(data.track)
    if track is not None and data.generation > track.generation:
        state.tracks[data.track] = replace(
            track,
            standing=Standing.ACTIVE,
            granted=data.cap,
            generation=data.generation,
            fold=data.fold or track.fold,
        )


def _ended(state: BatchState, data: b.TrackEnded, _: datetime) -> None:
    track = state.tracks.get(data.track)
    if track is not None and track.standing is Standing.ACTIVE:
        state.tracks[data.track] = replace(
            track, standing=Standing.ENDED, generation=data.generation, ended=data
        )


def _fold_started(state: BatchState, data: b.FoldStarted, _: datetime) -> None:
    known = state.folds.get(data.run)
    if known is None:
        state.folds[data.run] = FoldState(data, state.inputs(data.tracks))
    elif known.standing is Standing.OPEN:
        state.folds[data.run] = replace(
            known, started=data, standing=Standing.ACTIVE, generation=known.generation + 1
        )


def _fold_ended(state: BatchState, data: b.FoldEnded, _: datetime) -> None:
    known = state.folds.get(data.run)
    if known is not None and known.standing is Standing.ACTIVE:
        state.folds[data.run] = replace(
            known, standing=Standing.ENDED, generation=data.generation, ended=data
        )


def _cancelled(state: BatchState, _: CancelRequested, __: datetime) -> None:
    state.cancelled = True


def _resumed(state: BatchState, data: b.BatchResumed, _: datetime) -> None:
    """What did not come to a good end is taken up again, as far as it was asked for."""
    if data.generation <= state.generation:
        return
    state.generation, state.outcome, state.cancelled = data.generation, None, False
    state.cap = data.cap if data.cap is not None else state.cap
    for name, track in list(state.tracks.items()):
        if track.ended and _is_to_go_on(data, track.spec.run, track.standing, track.ended.outcome):
            state.tracks[name] = replace(track, standing=Standing.OPEN)
    for run, each in list(state.folds.items()):
        if each.ended and _is_to_go_on(data, run, each.standing, each.ended.outcome):
            state.folds[run] = replace(each, standing=Standing.OPEN)


def _is_to_go_on(resumed: b.BatchResumed, run: str, standing: Standing, outcome: str) -> bool:
    falls_short = standing is Standing.ENDED and outcome != Outcome.COMPLETED
    return falls_short and (not resumed.runs or run in resumed.runs)


def _over(state: BatchState, data: b.BatchEnded, _: datetime) -> None:
    state.outcome = Outcome(data.outcome)


HANDLERS: dict[type, Callable[[BatchState, Any, datetime], None]] = {
    b.BatchRequested: _requested,
    b.TracksFunded: _funded,
    b.TrackStarted: _started,
    b.TrackEnded: _ended,
    b.FoldStarted: _fold_started,
    b.FoldEnded: _fold_ended,
    CancelRequested: _cancelled,
    b.BatchResumed: _resumed,
    b.BatchEnded: _over,
}
