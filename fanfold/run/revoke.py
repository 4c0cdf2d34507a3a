"""Taking merged patches out again: for a guilty patch, and for a phase that a person rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.run.state import Checkpoint, RunState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Iterable


def fall_back(state: RunState, count: int, tree: str, *, out: Iterable[str]) -> None:
    """Keep the first `count` applied patches, whose tree is `tree`; reopen `out`.

    What was built on `out` reopens too; other patches that were applied later are merged again.
    """
    later = state.applied[count:]
    state.applied, state.applied_at = state.applied[:count], state.applied_at[:count]
    state.tree = state.verified_tree = tree
    state.red_tree = None
    kept = [c for c in state.checkpoints if c.count < count]
    state.checkpoints = [*kept, Checkpoint(count, tree)]
    if not count:
        state.results, state.results_tree = state.baseline or (), tree
    for entry in later:
        unit = state.units[entry.unit]
        state.units[entry.unit] = replace(unit, status=UnitStatus.PATCHED, carrier=entry.attempt)
    reopen(state, out)


def reopen(state: RunState, units: Iterable[str]) -> None:
    """Start `units` and all that depend on them anew; what is in flight, once it has landed."""
    for name in _with_dependents(state, units):
        unit = state.units[name]
        state.gates.pop(name, None)
        running = unit.status is UnitStatus.RUNNING
        state.units[name] = replace(unit, revoked=True) if running else unit.anew()


def reopen_phase(state: RunState, gate: str, reason: str) -> None:
    """Restore the tree in which the gate's phase began.

    And reopen its units with the person's words.
    """
    covered = [u for u in state.units[gate].spec.covers if u in state.units]
    rejected = state.gates[gate]
    out = {*covered, gate}
    affected = _with_dependents(state, out)
    first = next((i for i, a in enumerate(state.applied) if a.unit in affected), None)
    if first is None:
        reopen(state, out)
    else:
        start = max((c for c in state.checkpoints if c.count <= first), key=lambda c: c.count)
        fall_back(state, start.count, start.tree, out=out)
    state.gates[gate] = rejected
    for name in covered:
        unit = state.units[name]
        if unit.spec.kind == "work":
            state.units[name] = replace(unit, hint=reason, repaired=False)


def _with_dependents(state: RunState, units: Iterable[str]) -> set[str]:
    reached: set[str] = set()
    queue = list(units)
    while queue:
        name = queue.pop()
        if name not in reached:
            reached.add(name)
            queue.extend(state.dependents[name])
    return reached
