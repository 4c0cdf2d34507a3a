"""Which tracks of a batch its cap pays for: whole ones, in order, before a cent is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.run.batch_state import Standing
from fanfold.run.money import SMALLEST_SHARE
from fanfold.run.state import Outcome

if TYPE_CHECKING:
    from fanfold.run.batch_state import BatchState, TrackState


class Funding(msgspec.Struct, frozen=True):
    """`promised` micro-dollars by track, for those not started; nothing is left for `unfunded`.

    `blocked` tracks need one that is lost, waits or is not funded. `left` is promised to nobody.
    """

    promised: dict[str, int]
    unfunded: tuple[str, ...]
    blocked: tuple[str, ...]
    left: int


def funding(state: BatchState) -> Funding:
    """Every track that is yet to run, in order: promised what it needs where that is left."""
    left = state.available
    promised: dict[str, int] = {}
    unfunded: list[str] = []
    blocked: list[str] = []
    for name in in_order(state):
        track = state.tracks[name]
        wanted = _wanted(state, track)
        if wanted is None:
            continue
        if not all(_hopeful(state, need, promised) for need in track.spec.needs):
            blocked.append(name)
        elif wanted <= left or (track.standing is Standing.OPEN and track.ended is not None):
            promised[name] = min(wanted, left)
            left -= promised[name]
        elif track.ended is None:
            unfunded.append(name)
    return Funding(promised, tuple(unfunded), tuple(blocked), left)


def in_order(state: BatchState) -> list[str]:
    """The tracks as they were given, but each after those that it needs."""
    ordered: dict[str, None] = {}

    def visit(name: str, above: frozenset[str]) -> None:
        if name not in ordered and name not in above:
            for need in state.tracks[name].spec.needs:
                visit(need, above | {name})
            ordered[name] = None

    for name in state.tracks:
        visit(name, frozenset())
    return list(ordered)


def _wanted(state: BatchState, track: TrackState) -> int | None:
    """What the track needs more than it has spent; None where it runs, or is over."""
    if track.standing is Standing.ACTIVE:
        return None
    if track.ended is None:
        return track.spec.need
    unpaid = track.ended.unpaid * -(-track.spec.need // max(1, track.spec.units))
    more = max(unpaid, -(-state.slice // SMALLEST_SHARE)) if unpaid else 0
    if track.standing is Standing.OPEN:
        return max(more, track.granted - track.spent)
    short = track.ended.outcome == Outcome.INCOMPLETE and more
    return more if short and track.spent + more > track.granted else None


def _hopeful(state: BatchState, need: str, promised: dict[str, int]) -> bool:
    track = state.tracks[need]
    return track.passed or track.standing is Standing.ACTIVE or need in promised
