"""The vocabulary of a batch's stream: several runs, one a track, under one cap."""

from __future__ import annotations

import msgspec

from fanfold.run.events import EventData, register


class TrackSpec(msgspec.Struct, frozen=True):
    """A track as it was asked for; `needs` are ids of tracks of the batch.

    `run` is the name of its run. `need` micro-dollars are likely to pay for it whole, with `most`
    all its `units` could start at once.
    """

    id: str
    plan: str
    title: str
    run: str
    need: int
    most: int
    units: int
    needs: tuple[str, ...] = ()


class Settled(msgspec.Struct, frozen=True):
    """What an arbiter or a repair made of a track's patch, for later folds of the same result."""

    track: str
    tip: str
    base_tree: str
    tree: str


class BatchRequested(EventData, frozen=True):
    """Money in micro-dollars; `slice` is an attempt's share. `base` is where every track starts."""

    batch_id: str
    base: str
    tracks: tuple[TrackSpec, ...]
    cap: int
    slice: int
    concurrency: int = 8
    gates: str = "ask"


class TracksFunded(EventData, frozen=True):
    """What these tracks are likely to need is kept for them until they start."""

    tracks: tuple[str, ...]


class TrackStarted(EventData, frozen=True):
    """The track's run begins, or goes on; it may spend `cap`, all its spending so far included.

    It is under way until it has ended in `generation` or a later one. `fold` is the one whose
    result it starts from.
    """

    track: str
    cap: int
    generation: int = 1
    fold: str = ""


class TrackEnded(EventData, frozen=True):
    """Settles what the track's run could spend.

    `whole`: what needs the track may start. The caps of runs were too low for `unpaid` units.
    `tip` and `tree` are the result with its marks, `merged_tree` without.
    """

    track: str
    outcome: str
    spent: int
    generation: int
    whole: bool = False
    verified: bool = False
    unpaid: int = 0
    tip: str = ""
    tree: str = ""
    merged_tree: str = ""


class FoldStarted(EventData, frozen=True):
    """The results of `tracks` are folded by a run of their own that may spend `cap`.

    `last`: the fold that makes the batch's branch; another one is what a track starts from.
    """

    run: str
    tracks: tuple[str, ...]
    cap: int
    last: bool = True


class FoldEnded(EventData, frozen=True):
    """`taken` are the tracks that are in `tree`."""

    run: str
    outcome: str
    spent: int
    generation: int
    verified: bool = False
    taken: tuple[str, ...] = ()
    branch: str = ""
    tip: str = ""
    tree: str = ""
    settled: tuple[Settled, ...] = ()


class BatchResumed(EventData, frozen=True):
    """The batch goes on as a new generation; `cap` where it was raised.

    With `runs`, it was these that a person let go on; else all that came to no good end.
    """

    generation: int
    cap: int | None = None
    runs: tuple[str, ...] = ()


class BatchEnded(EventData, frozen=True):
    """Nothing is left that could go on by itself; `waiting` where a person has to speak first."""

    outcome: str


register(
    BatchRequested,
    TracksFunded,
    TrackStarted,
    TrackEnded,
    FoldStarted,
    FoldEnded,
    BatchResumed,
    BatchEnded,
)


def batch_stream(batch_id: str) -> str:
    return f"batch/{batch_id}"
