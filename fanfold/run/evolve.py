"""`evolve`: the run stream's events folded into a `RunState`.

Pure and total; unknown events change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from fanfold.run import events as e
from fanfold.run.outcome import after_attempt
from fanfold.run.revoke import fall_back, reopen_phase
from fanfold.run.settle import settle, settle_all
from fanfold.run.state import Checkpoint, GateState, Outcome, RunState, Try, UnitState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_T = TypeVar("_T")

RESUMABLE = frozenset(
    {"budget", "lost", "interrupted", "cancelled", "model_unavailable", "model_denied"}
)


def fold(stream: Iterable[e.Recorded], state: RunState | None = None) -> RunState:
    """The state after `stream`, from `state` (None: a new run).

    Idempotent events may come twice.
    """
    state = _copy(state) if state is not None else RunState()
    for event in stream:
        _apply(state, event)
    return state


def evolve(state: RunState, event: e.Recorded) -> RunState:
    """The state after one more event; `state` itself stays as it is."""
    state = _copy(state)
    _apply(state, event)
    return state


def _copy(state: RunState) -> RunState:
    return replace(state, units=dict(state.units), gates=dict(state.gates))


def _apply(state: RunState, event: e.Recorded) -> None:
    state.version = max(state.version, event.version)
    state.updated_at = event.timestamp
    handler = HANDLERS.get(type(event.data))
    if handler is not None:
        handler(state, event)


def _requested(state: RunState, event: e.Recorded) -> None:
    data = _as(e.RunRequested, event)
    state.run_id, state.plan, state.plan_sha256 = data.run_id, data.plan, data.plan_sha256
    state.base, state.options, state.requested_at = data.base, data.options, event.timestamp


def _rejected(state: RunState, event: e.Recorded) -> None:
    state.rejected = _as(e.RunRejected, event).reason
    state.outcome = Outcome.FAILED


def _admitted(state: RunState, event: e.Recorded) -> None:
    data = _as(e.RunAdmitted, event)
    state.admitted = True
    state.base_tree = state.tree = data.base_tree
    state.limits, state.cap, state.checks = data.limits, data.limits.cap, data.checks
    state.tasks, state.options, state.control_files = data.tasks, data.options, data.control_files
    state.units = {u.id: UnitState(u) for u in sorted(data.units, key=lambda u: u.order)}
    state.checkpoints = (Checkpoint(0, data.base_tree),)
    dependents: dict[str, list[str]] = {u.id: [] for u in data.units}
    for unit in state.units.values():
        for need in unit.spec.needs:
            dependents[need].append(unit.spec.id)
    state.dependents = {k: tuple(v) for k, v in dependents.items()}
    settle_all(state)


def _resumed(state: RunState, event: e.Recorded) -> None:
    data = _as(e.RunResumed, event)
    state.generation = max(state.generation, data.generation)
    state.cap = data.cap if data.cap is not None else state.cap
    state.outcome = state.failure = None
    state.cancelled = False
    for unit in list(state.units.values()):
        if unit.status is UnitStatus.FAILED and unit.reason in RESUMABLE:
            fresh = replace(unit, status=UnitStatus.OPEN, reason=None, failures=0)
            state.units[unit.spec.id] = fresh
    settle_all(state)


def _dispatched(state: RunState, event: e.Recorded) -> None:
    data = _as(e.AttemptDispatched, event)
    unit = state.units[data.unit]
    if any(t.attempt == data.attempt for t in unit.tries):
        return
    state.reserved += data.slice
    state.units[data.unit] = replace(
        unit, status=UnitStatus.RUNNING, tries=(*unit.tries, Try(data)), continues=None, hint=""
    )


def _finished(state: RunState, event: e.Recorded) -> None:
    data = _as(e.AttemptFinished, event)
    unit = state.units[data.unit]
    known = next((t for t in unit.tries if t.attempt == data.attempt), None)
    if known is None or known.outcome is not None:
        return
    state.reserved -= known.dispatched.slice
    state.spent += data.cost
    ended = replace(
        known,
        outcome=data.outcome,
        cost=data.cost,
        tree=data.tree,
        epoch=data.epoch,
        patch=data.patch,
        choice=data.choice,
        detail=data.detail,
    )
    unit = replace(unit, tries=tuple(ended if t is known else t for t in unit.tries))
    state.units[data.unit] = after_attempt(state, unit, ended)
    settle(state, data.unit)


def _patch_rejected(state: RunState, event: e.Recorded) -> None:
    data = _as(e.PatchRejected, event)
    _close(state, data.unit, UnitStatus.REJECTED, data.reason)


def _conflict(state: RunState, event: e.Recorded) -> None:
    data = _as(e.ConflictFound, event)
    unit = state.units[data.unit]
    if unit.status is not UnitStatus.PATCHED:
        return
    if unit.try_of(data.attempt).purpose is e.Purpose.RESOLVE:
        _close(state, data.unit, UnitStatus.CONFLICTED, "conflict")
        return
    state.units[data.unit] = replace(
        unit, status=UnitStatus.OPEN, purpose=e.Purpose.RESOLVE, continues=data.attempt
    )


def _merged(state: RunState, event: e.Recorded) -> None:
    data = _as(e.MergeCompleted, event)
    if data.seq <= state.merges:
        return
    state.merges, state.tree = data.seq, data.tree
    state.applied = (*state.applied, *data.applied)
    state.applied_at = (*state.applied_at, *(event.timestamp for _ in data.applied))
    known = set(state.dropped_paths)
    new = dict.fromkeys(p for p in data.dropped_paths if p not in known)
    state.dropped_paths = (*state.dropped_paths, *new)
    for entry in data.applied:
        state.units[entry.unit] = replace(state.units[entry.unit], status=UnitStatus.MERGED)
    if not state.checks:
        state.checkpoints = (*state.checkpoints, Checkpoint(len(state.applied), state.tree))
    settle_all(state)


def _verification_passed(state: RunState, event: e.Recorded) -> None:
    data = _as(e.VerificationPassed, event)
    _verification(state, data)
    if not data.baseline:
        _accept(state, data.tree)
    settle_all(state)


def _verification_failed(state: RunState, event: e.Recorded) -> None:
    data = _as(e.VerificationFailed, event)
    _verification(state, data)
    nobody_to_blame = len(state.applied) == state.checkpoint.count
    if not data.baseline and nobody_to_blame:
        _accept(state, data.tree)
    settle_all(state)


def _verification(state: RunState, data: e.VerificationPassed | e.VerificationFailed) -> None:
    state.verifications = max(state.verifications, data.seq)
    state.results = data.checks
    if data.baseline:
        state.baseline, state.verified_tree = data.checks, data.tree


def _accept(state: RunState, tree: str) -> None:
    if tree == state.tree:
        state.verified_tree = tree
        state.checkpoints = (*state.checkpoints, Checkpoint(len(state.applied), tree))


def _blamed(state: RunState, event: e.Recorded) -> None:
    data = _as(e.PatchBlamed, event)
    position = next((i for i, a in enumerate(state.applied) if a.attempt == data.attempt), None)
    if position is None:
        return
    fall_back(state, position, data.good_tree, out={data.unit})
    unit = state.units[data.unit]
    if unit.repaired:
        _close(state, data.unit, UnitStatus.REJECTED, "check_failed")
        return
    state.units[data.unit] = replace(
        unit,
        status=UnitStatus.OPEN,
        purpose=e.Purpose.REPAIR,
        repaired=True,
        continues=data.attempt,
        carrier=None,
    )


def _approval_requested(state: RunState, event: e.Recorded) -> None:
    data = _as(e.ApprovalRequested, event)
    state.gates[data.gate] = GateState(data.tree, data.from_tree)
    gate = state.units[data.gate]
    if gate.status is UnitStatus.OPEN:
        state.units[data.gate] = replace(gate, status=UnitStatus.WAITING)


def _approval_granted(state: RunState, event: e.Recorded) -> None:
    gate = _as(e.ApprovalGranted, event).gate
    if state.units[gate].status is UnitStatus.WAITING:
        state.gates[gate] = replace(state.gates[gate], state="approved")
        state.units[gate] = replace(state.units[gate], status=UnitStatus.DONE)
        settle(state, gate)


def _approval_denied(state: RunState, event: e.Recorded) -> None:
    data = _as(e.ApprovalDenied, event)
    if state.units[data.gate].status is UnitStatus.WAITING:
        state.gates[data.gate] = replace(
            state.gates[data.gate], state="rejected", reason=data.reason
        )
        reopen_phase(state, data.gate, data.reason)
        settle_all(state)


def _warned(state: RunState, _: e.Recorded) -> None:
    state.warned = True


def _exhausted(state: RunState, event: e.Recorded) -> None:
    for unit in _as(e.BudgetExhausted, event).units:
        if state.units[unit].status is UnitStatus.OPEN:
            _close(state, unit, UnitStatus.FAILED, "budget")


def _cancel_requested(state: RunState, _: e.Recorded) -> None:
    state.cancelled = True


def _written_back(state: RunState, event: e.Recorded) -> None:
    state.written = _as(e.PlanWrittenBack, event)


def _ended(outcome: Outcome) -> Callable[[RunState, e.Recorded], None]:
    def end(state: RunState, _: e.Recorded) -> None:
        state.outcome = outcome

    return end


def _close(state: RunState, unit: str, status: UnitStatus, reason: str) -> None:
    state.units[unit] = replace(state.units[unit], status=status, reason=reason, carrier=None)
    settle(state, unit)


def _as(kind: type[_T], event: e.Recorded) -> _T:
    if not isinstance(event.data, kind):
        raise TypeError(f"{type(event.data).__name__} where {kind.__name__} belongs")
    return event.data


HANDLERS: dict[type[Any], Callable[[RunState, e.Recorded], None]] = {
    e.RunRequested: _requested,
    e.RunRejected: _rejected,
    e.RunAdmitted: _admitted,
    e.RunResumed: _resumed,
    e.AttemptDispatched: _dispatched,
    e.AttemptFinished: _finished,
    e.PatchRejected: _patch_rejected,
    e.ConflictFound: _conflict,
    e.MergeCompleted: _merged,
    e.VerificationPassed: _verification_passed,
    e.VerificationFailed: _verification_failed,
    e.PatchBlamed: _blamed,
    e.ApprovalRequested: _approval_requested,
    e.ApprovalGranted: _approval_granted,
    e.ApprovalDenied: _approval_denied,
    e.BudgetWarned: _warned,
    e.BudgetExhausted: _exhausted,
    e.CancelRequested: _cancel_requested,
    e.PlanWrittenBack: _written_back,
    e.RunCompleted: _ended(Outcome.COMPLETED),
    e.RunIncomplete: _ended(Outcome.INCOMPLETE),
    e.RunFailed: _ended(Outcome.FAILED),
    e.RunCancelled: _ended(Outcome.CANCELLED),
}
