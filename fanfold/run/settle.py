"""What follows by itself from a changed unit: skipped dependents, and tasks that no agent does."""

from __future__ import annotations

from msgspec.structs import replace

from fanfold.run.state import LOST, RunState, UnitState, UnitStatus

AUTOMATIC = frozenset({"check", "bookkeeping"})


def settle_all(state: RunState) -> None:
    """Settle every unit; skips that no longer have a reason are undone first."""
    for unit in list(state.units.values()):
        if unit.status is UnitStatus.SKIPPED:
            state.units[unit.spec.id] = replace(unit, status=UnitStatus.OPEN, reason=None)
    _settle(state, list(state.units))


def settle(state: RunState, changed: str) -> None:
    """Settle what depends on `changed`, directly or not."""
    _settle(state, list(state.dependents[changed]))


def _settle(state: RunState, queue: list[str]) -> None:
    while queue:
        unit = state.units[queue.pop()]
        settled = _next_status(state, unit)
        if settled is not None:
            state.units[unit.spec.id] = settled
            queue.extend(state.dependents[unit.spec.id])


def _next_status(state: RunState, unit: UnitState) -> UnitState | None:
    if unit.status is not UnitStatus.OPEN:
        return None
    if any(state.units[n].status in LOST for n in unit.spec.needs):
        return replace(unit, status=UnitStatus.SKIPPED, reason="dependency_failed")
    if unit.spec.kind in AUTOMATIC and state.ready(unit):
        if unit.spec.kind == "check" and state.needs_verification and state.applied:
            return None
        return replace(unit, status=UnitStatus.DONE)
    return None
