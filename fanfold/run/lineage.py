"""What tracks of a batch build on: their needs, and the fold of several needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.batch_state import Standing

if TYPE_CHECKING:
    from fanfold.run.batch_state import BatchState, FoldState


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


def lineage(state: BatchState, track: str) -> tuple[str, ...]:
    """All that a track needs, directly or not, in order."""
    wanted = _ancestors(state, track)
    return tuple(name for name in in_order(state) if name in wanted)


def needs_of(state: BatchState, track: str) -> tuple[str, ...]:
    """What a track builds on directly: its needs, but for those that another of them needs too."""
    needs = state.tracks[track].spec.needs
    indirect = {name for need in needs for name in _ancestors(state, need)}
    return tuple(name for name in needs if name not in indirect)


def is_joint(state: BatchState, track: str) -> bool:
    """Whether the track builds on several others, which are folded first."""
    return len(needs_of(state, track)) > 1


def joint_of(state: BatchState, track: str) -> FoldState | None:
    """The fold that the track builds on; None while nobody has begun it."""
    inputs = state.inputs(lineage(state, track))
    found = (f for f in state.folds.values() if f.inputs == inputs and not f.started.last)
    return next(found, None)


def is_in_vain(state: BatchState, track: str) -> bool:
    """Whether what the track builds on could not be brought together."""
    joint = joint_of(state, track) if is_joint(state, track) else None
    if joint is None or joint.standing is not Standing.ENDED or joint.ended is None:
        return False
    return len(joint.ended.taken) < len(joint.inputs)


def _ancestors(state: BatchState, track: str) -> set[str]:
    found: set[str] = set()
    queue = list(state.tracks[track].spec.needs)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(state.tracks[name].spec.needs)
    return found
