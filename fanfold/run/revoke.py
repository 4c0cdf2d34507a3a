"""Taking merged patches out again: for a guilty patch, and for a phase that a person rejected."""

from __future__ import annotations

from msgspec.structs import replace

from fanfold.run.attempt import Purpose
from fanfold.run.state import Checkpoint, RunState, UnitStatus

REDONE = frozenset(
    {
        UnitStatus.PATCHED,
        UnitStatus.MERGED,
        UnitStatus.DONE,
        UnitStatus.WAITING,
        UnitStatus.FAILED,
        UnitStatus.REJECTED,
        UnitStatus.CONFLICTED,
    }
)


def fall_back(state: RunState, count: int, tree: str, *, out: set[str]) -> None:
    """Keep the first `count` applied patches, whose tree is `tree`.

    `out` and what was built on it reopens.

    Other patches that were applied later are merged again.
    """
    gone = _with_dependents(state, out)
    later = state.applied[count:]
    state.applied, state.applied_at = state.applied[:count], state.applied_at[:count]
    state.tree = tree
    kept = tuple(c for c in state.checkpoints if c.count < count)
    state.checkpoints = (*kept, Checkpoint(count, tree))
    state.verified_tree = tree
    for entry in later:
        unit = state.units[entry.unit]
        state.units[entry.unit] = replace(unit, status=UnitStatus.PATCHED, carrier=entry.attempt)
    for name in gone:
        unit = state.units[name]
        if unit.status in REDONE:
            state.gates.pop(name, None)
            state.units[name] = replace(
                unit,
                status=UnitStatus.OPEN,
                purpose=Purpose.WORK,
                carrier=None,
                continues=None,
                reason=None,
                failures=0,
            )


def reopen_phase(state: RunState, gate: str, reason: str) -> None:
    """Restore the tree in which the gate's phase began.

    And reopen its units with the person's words.
    """
    covered = {u for u in state.units[gate].spec.covers if u in state.units}
    rejected = state.gates[gate]
    first = next((i for i, a in enumerate(state.applied) if a.unit in covered), None)
    if first is not None:
        start = max((c for c in state.checkpoints if c.count <= first), key=lambda c: c.count)
        fall_back(state, start.count, start.tree, out=covered | {gate})
    else:
        fall_back(state, len(state.applied), state.tree, out=covered | {gate})
    state.gates[gate] = rejected
    for name in covered:
        unit = state.units[name]
        if unit.spec.kind == "work" and unit.status is UnitStatus.OPEN:
            state.units[name] = replace(unit, hint=reason, repaired=False)


def _with_dependents(state: RunState, units: set[str]) -> set[str]:
    reached: set[str] = set()
    queue = list(units)
    while queue:
        name = queue.pop()
        if name not in reached:
            reached.add(name)
            queue.extend(state.dependents[name])
    return reached
