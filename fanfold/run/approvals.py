"""Events about gates, held patches and held tasks: asked, granted, denied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.run.holds import REPEATED, is_held, released
from fanfold.run.outcome import given_up
from fanfold.run.revoke import reopen_phase
from fanfold.run.settle import close, settle, settle_all
from fanfold.run.state import GateState, RunState, UnitStatus

if TYPE_CHECKING:
    from datetime import datetime

    from fanfold.run import events as e


def approval_requested(state: RunState, data: e.ApprovalRequested, _: datetime) -> None:
    gate = state.units.get(data.gate)
    if gate is not None and state.ready(gate):
        state.gates[data.gate] = GateState(
            data.tree,
            data.from_tree,
            patch=data.patch,
            files=data.files,
            added=data.added,
            removed=data.removed,
        )
        state.units[data.gate] = replace(gate, status=UnitStatus.WAITING)


def approval_granted(state: RunState, data: e.ApprovalGranted, _: datetime) -> None:
    if _waits(state, data.gate):
        state.gates[data.gate] = replace(state.gates[data.gate], state="approved")
        unit = state.units[data.gate]
        if is_held(unit):
            state.units[data.gate] = released(unit)
        elif unit.carrier is None:
            state.units[data.gate] = replace(unit, status=UnitStatus.DONE)
        else:
            state.units[data.gate] = replace(
                unit, status=UnitStatus.PATCHED, cleared=unit.carrier, reason=None
            )
        settle(state, (data.gate,))


def approval_denied(state: RunState, data: e.ApprovalDenied, _: datetime) -> None:
    if _waits(state, data.gate):
        denied = replace(state.gates[data.gate], state="rejected", reason=data.reason)
        state.gates[data.gate] = denied
        unit = state.units[data.gate]
        if is_held(unit):
            close(state, data.gate, *given_up(unit, REPEATED))
        elif unit.carrier is None:
            reopen_phase(state, data.gate, data.reason)
            settle_all(state)
        else:
            close(state, data.gate, UnitStatus.REJECTED, unit.reason or "rejected")


def _waits(state: RunState, gate: str) -> bool:
    return gate in state.gates and state.units[gate].status is UnitStatus.WAITING
