"""A task that a person has tried again, with a hint or another model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.run.attempt import Purpose
from fanfold.run.revoke import fall_back, reopen
from fanfold.run.settle import settle_all
from fanfold.run.state import UnitStatus

if TYPE_CHECKING:
    from datetime import datetime

    from fanfold.run import events as e
    from fanfold.run.state import RunState, UnitState

RETRIED = frozenset(
    {UnitStatus.MERGED, UnitStatus.FAILED, UnitStatus.REJECTED, UnitStatus.CONFLICTED}
)
AS_BEFORE = {UnitStatus.CONFLICTED: Purpose.RESOLVE}


def can_be_retried(unit: UnitState) -> bool:
    """Whether an attempt has worked on the unit, and none does or will by itself."""
    held = unit.status is UnitStatus.WAITING and unit.carrier is None
    return unit.spec.kind == "work" and bool(unit.tries) and (unit.status in RETRIED or held)


def is_to_be_retried(unit: UnitState, data: e.RetryRequested) -> bool:
    """Whether the unit waits for the very attempt that `data` asks for."""
    fresh = unit.status is UnitStatus.OPEN and 0 < unit.pardoned == len(unit.tries)
    return fresh and unit.hint == data.hint and unit.model == (data.model or unit.model)


def retry_requested(state: RunState, data: e.RetryRequested, _: datetime) -> None:
    """The unit goes on from its last patch, and whatever was built on it starts anew.

    A merged patch is taken out first. What had failed before is no longer counted.
    """
    unit = state.units.get(data.unit)
    if unit is None or not can_be_retried(unit):
        return
    last = next((t.attempt for t in reversed(unit.tries) if t.patch is not None), None)
    purpose = AS_BEFORE.get(unit.status, Purpose.WORK) if last else Purpose.WORK
    if unit.status is UnitStatus.REJECTED and unit.blamed:
        purpose = Purpose.REPAIR
    _take_out(state, unit)
    state.units[data.unit] = replace(
        state.units[data.unit],
        purpose=purpose,
        continues=last,
        hint=data.hint,
        model=data.model or unit.model,
        pardoned=len(unit.tries),
    )
    settle_all(state)


def _take_out(state: RunState, unit: UnitState) -> None:
    name = unit.spec.id
    position = next((i for i, entry in enumerate(state.applied) if entry.unit == name), None)
    if position is None:
        reopen(state, (name,))
        return
    before = state.applied[position - 1].tree if position else state.base_tree
    fall_back(state, position, before, out=(name,))
