"""Events about patches: what went in, what stayed out, what the checks said, who was blamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.run.attempt import Exit, Purpose
from fanfold.run.revoke import fall_back
from fanfold.run.settle import close, settle, settle_all, settle_held
from fanfold.run.state import Checkpoint, GateState, RunState, UnitState, UnitStatus

if TYPE_CHECKING:
    from datetime import datetime

    from fanfold.run import events as e

RED_RUNS = 3
RESOLVED = (Purpose.RESOLVE, Exit.SUBMITTED)


def patch_rejected(state: RunState, data: e.PatchRejected, _: datetime) -> None:
    if _carried(state, data.unit, data.attempt):
        close(state, data.unit, UnitStatus.REJECTED, data.reason)


def patch_held(state: RunState, data: e.PatchHeld, _: datetime) -> None:
    """The unit waits for a person, who is shown what the patch does to its own base."""
    unit = _carried(state, data.unit, data.attempt)
    if unit is not None:
        held = unit.try_of(data.attempt)
        state.gates[data.unit] = GateState(held.tree, held.dispatched.base_tree)
        state.units[data.unit] = replace(unit, status=UnitStatus.WAITING, reason=data.reason)


def conflict_found(state: RunState, data: e.ConflictFound, _: datetime) -> None:
    """A patch is resolved once, and again as often as a unit is tried when others came first."""
    unit = _carried(state, data.unit, data.attempt)
    if unit is None:
        return
    since = unit.tries[unit.pardoned :]
    resolved = [t for t in since if (t.purpose, t.outcome) == RESOLVED]
    overtaken = unit.try_of(data.attempt) in resolved
    if overtaken and len(resolved) >= state.limits.attempts:
        close(state, data.unit, UnitStatus.CONFLICTED, "conflict")
        return
    state.units[data.unit] = replace(
        unit,
        status=UnitStatus.OPEN,
        purpose=Purpose.RESOLVE,
        continues=data.attempt,
        carrier=None,
        conflict_paths=data.paths,
    )


def _carried(state: RunState, name: str, attempt: str) -> UnitState | None:
    """The unit while `attempt` is its patch and waits to be merged."""
    unit = state.units.get(name)
    waits = unit is not None and unit.status is UnitStatus.PATCHED and unit.carrier == attempt
    return unit if waits else None


def merge_completed(state: RunState, data: e.MergeCompleted, at: datetime) -> None:
    if data.seq <= state.merges:
        return
    state.merges = data.seq
    overtaken = data.base_tree != state.tree
    if overtaken or not all(_carried(state, a.unit, a.attempt) for a in data.applied):
        return
    state.tree = data.tree
    state.applied.extend(data.applied)
    state.applied_at.extend(at for _ in data.applied)
    if data.dropped_paths:
        state.dropped_paths = tuple(dict.fromkeys((*state.dropped_paths, *data.dropped_paths)))
    for entry in data.applied:
        state.units[entry.unit] = replace(state.units[entry.unit], status=UnitStatus.MERGED)
    if not state.checks:
        _keep(state)
    settle(state, [a.unit for a in data.applied])


def verification_passed(state: RunState, data: e.VerificationPassed, _: datetime) -> None:
    if _judged(state, data):
        _accept(state)


def verification_failed(state: RunState, data: e.VerificationFailed, _: datetime) -> None:
    """Red with nobody to blame, or never blamed on anybody, is how things are: the run goes on."""
    if not _judged(state, data):
        return
    state.red_runs = state.red_runs + 1 if state.red_tree == state.tree else 1
    state.red_tree = state.tree
    nobody_to_blame = len(state.applied) == state.checkpoint.count
    if nobody_to_blame or state.red_runs >= RED_RUNS:
        _accept(state)


def _judged(state: RunState, data: e.VerificationPassed | e.VerificationFailed) -> bool:
    """Take the results over; whether they say something of the run's tree as it now is."""
    if data.seq <= state.verifications:
        return False
    state.verifications = data.seq
    state.results, state.results_tree = data.checks, data.tree
    if data.baseline:
        state.baseline, state.verified_tree = data.checks, data.tree
        settle_held(state)
    return not data.baseline and data.tree == state.tree


def _accept(state: RunState) -> None:
    state.verified_tree = state.tree
    _keep(state)
    settle_held(state)


def _keep(state: RunState) -> None:
    checkpoint = Checkpoint(len(state.applied), state.tree)
    if checkpoint != state.checkpoint:
        state.checkpoints.append(checkpoint)


def patch_blamed(state: RunState, data: e.PatchBlamed, _: datetime) -> None:
    position = next((i for i, a in enumerate(state.applied) if a.attempt == data.attempt), None)
    overtaken = data.seq != state.verifications or state.red_tree != state.tree
    if position is None or overtaken:
        return
    name = state.applied[position].unit
    fall_back(state, position, data.good_tree, out=(name,))
    unit = state.units[name]
    if unit.repaired:
        unit = replace(unit, status=UnitStatus.REJECTED, reason="check_failed")
    else:
        unit = replace(
            unit, purpose=Purpose.REPAIR, repaired=True, continues=data.attempt, blamed=data.checks
        )
    state.units[name] = unit
    settle_all(state)
