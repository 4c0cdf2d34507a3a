"""Which tracks of a batch its cap pays for: whole ones, in order, before a cent is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.run.batch_state import Standing
from fanfold.run.lineage import in_order, is_in_vain
from fanfold.run.money import SMALLEST_SHARE
from fanfold.run.state import Outcome

if TYPE_CHECKING:
    from fanfold.run.batch_state import BatchState, TrackState


class Funding(msgspec.Struct, frozen=True):
    """Micro-dollars by track: `kept` for funded ones, `fresh` for those that can be funded now.

    `more` is for runs that are taken up again. There is not enough left for `unfunded` tracks;
    `blocked` ones need a track that is lost, waits or is not funded. `left` is nobody's.
    """

    kept: dict[str, int]
    fresh: dict[str, int]
    more: dict[str, int]
    unfunded: tuple[str, ...]
    blocked: tuple[str, ...]
    left: int


def funding(state: BatchState) -> Funding:
    """Who gets what is left, in order; the same tracks in the end, whichever of them ends first.

    Before anything has started, a track that does not fit is passed over. Later it has to be
    certain that it will not fit: only when nothing is under way can what is left not grow.
    """
    purse = _Purse(state)
    for name in in_order(state):
        purse.consider(name)
    return Funding(
        purse.kept, purse.fresh, purse.more, tuple(purse.unfunded), tuple(purse.blocked), purse.left
    )


class _Purse:
    """What is left while it is given out."""

    def __init__(self, state: BatchState) -> None:
        self.state = state
        self.kept: dict[str, int] = {}
        self.fresh: dict[str, int] = {}
        self.more: dict[str, int] = {}
        self.unfunded: list[str] = []
        self.blocked: list[str] = []
        self.left = state.available
        self._keep()
        self._begun = any(track.generation for track in state.tracks.values())
        self._growing = self._is_growing()

    def consider(self, name: str) -> None:
        track = self.state.tracks[name]
        if track.standing is Standing.ACTIVE or name in self.kept:
            return
        if track.ended is not None:
            self._take_up(name, track)
        elif not self._hopeful(track):
            self.blocked.append(name)
        elif track.spec.need <= self.left and not (self._growing and self.unfunded):
            (self.kept if track.funded else self.fresh)[name] = track.spec.need
            self.left -= track.spec.need
            self._growing = self._begun
        else:
            self.unfunded.append(name)

    def _keep(self) -> None:
        """Funded tracks come first, so long as what they need can still be met."""
        for name in in_order(self.state):
            track = self.state.tracks[name]
            fresh = track.funded and not track.generation and self._hopeful(track)
            if fresh and track.spec.need <= self.left:
                self.kept[name] = track.spec.need
                self.left -= track.spec.need

    def _is_growing(self) -> bool:
        """Whether something has begun and more will end, so that more may be left over later."""
        tracks = self.state.tracks.values()
        again = any(t.standing is Standing.OPEN and t.ended is not None for t in tracks)
        return self._begun and bool(self.state.live or self.kept or again)

    def _take_up(self, name: str, track: TrackState) -> None:
        """A run that a person took up gets what there is; one that ran out, when all is over."""
        amount = _short_of(self.state, track, self.left)
        if track.standing is Standing.OPEN:
            amount = min(max(amount, track.granted - track.spent), self.left)
        elif not amount or self._growing or amount > self.left:
            return
        self.more[name] = amount
        self.left -= amount
        self._growing = True

    def _hopeful(self, track: TrackState) -> bool:
        """Whether everything that the track needs is met, under way or paid for."""
        if is_in_vain(self.state, track.spec.id):
            return False
        return all(self._met(self.state.tracks[need]) for need in track.spec.needs)

    def _met(self, track: TrackState) -> bool:
        name = track.spec.id
        paid = name in self.kept or name in self.fresh or name in self.more
        again = track.standing is Standing.OPEN and track.ended is not None
        return track.passed or track.standing is Standing.ACTIVE or paid or again


def _short_of(state: BatchState, track: TrackState, left: int) -> int:
    """What a run that ended without having been paid for all its units would need to go on.

    A whole slice for each of them where that is left: what was likely may have been too little.
    """
    if track.ended is None or not track.ended.unpaid or track.ended.outcome != Outcome.INCOMPLETE:
        return 0
    each = -(-track.spec.need // max(1, track.spec.units))
    more = max(track.ended.unpaid * each, -(-state.slice // SMALLEST_SHARE))
    whole = track.ended.unpaid * state.slice
    more = whole if more < whole <= left else more
    return more if track.spent + more > track.granted else 0
