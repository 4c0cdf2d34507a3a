"""What follows by itself from a changed unit: skipped dependents, and tasks that no agent does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.run.state import LOST, RunState, UnitState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

AUTOMATIC = frozenset({"check", "bookkeeping"})
UNFINISHED = frozenset({UnitStatus.OPEN, UnitStatus.PATCHED})


def settle_all(state: RunState) -> None:
    """Settle every unit; skips that no longer have a reason are undone first."""
    for unit in list(state.units.values()):
        if unit.status is UnitStatus.SKIPPED:
            status = UnitStatus.PATCHED if unit.carrier else UnitStatus.OPEN
            state.units[unit.spec.id] = replace(unit, status=status, reason=None)
    settle(state, state.units)


def settle_held(state: RunState) -> None:
    """Settle what had to wait for a verification."""
    held, state.held = state.held, ()
    settle(state, held)


def settle(state: RunState, changed: Iterable[str]) -> None:
    """Settle `changed` units and what depends on them, directly or not."""
    queue = [name for unit in changed for name in (unit, *state.dependents[unit])]
    while queue:
        unit = state.units[queue.pop()]
        settled = _next_status(state, unit)
        if settled is not None:
            state.units[unit.spec.id] = settled
            queue.extend(state.dependents[unit.spec.id])


def close(state: RunState, unit: str, status: UnitStatus, reason: str) -> None:
    """End a unit without a patch, and skip what needs it."""
    state.units[unit] = replace(state.units[unit], status=status, reason=reason, carrier=None)
    settle(state, (unit,))


def _next_status(state: RunState, unit: UnitState) -> UnitState | None:
    if unit.status not in UNFINISHED:
        return None
    if any(state.units[n].status in LOST for n in unit.spec.needs):
        return replace(unit, status=UnitStatus.SKIPPED, reason="dependency_failed")
    if unit.spec.kind in AUTOMATIC and state.ready(unit):
        return _done_by_itself(state, unit)
    return None


def _done_by_itself(state: RunState, unit: UnitState) -> UnitState | None:
    """Nothing is ticked on a tree whose checks have not run, and no check on a red one."""
    check = unit.spec.kind == "check"
    if state.needs_verification and (check or state.applied):
        state.held = tuple(dict.fromkeys((*state.held, unit.spec.id)))
        return None
    if check and state.red:
        return replace(unit, status=UnitStatus.FAILED, reason="check_failed")
    return replace(unit, status=UnitStatus.DONE)
