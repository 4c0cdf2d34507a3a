"""`evolve`: the run stream's events folded into a `RunState`.

Pure and total. What is not this run's business changes nothing: unknown types, unknown units, what
comes before admission, an event that was folded already, and one that another event has overtaken
(a merge of a tree that a person took back meanwhile).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from fanfold.errors import InvalidStream
from fanfold.run import events as e
from fanfold.run.attempt import Exit, Purpose
from fanfold.run.money import WARN_AT
from fanfold.run.outcome import RESUMABLE, after_attempt, unjudged
from fanfold.run.revoke import fall_back, reopen_phase
from fanfold.run.settle import settle, settle_all, settle_held
from fanfold.run.state import Checkpoint, GateState, Outcome, RunState, Try, UnitState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

RED_RUNS = 3
RESOLVED = (Purpose.RESOLVE, Exit.SUBMITTED)


def fold(stream: Iterable[e.Recorded], state: RunState | None = None) -> RunState:
    """The state after `stream`, from `state` (None: a new run).

    Raises:
        InvalidStream: the run was admitted with a graph that cannot be one.
    """
    state = _copy(state) if state is not None else RunState()
    for event in stream:
        _apply(state, event)
    return state


def evolve(state: RunState, event: e.Recorded) -> RunState:
    """The state after one more event; `state` itself stays as it is."""
    return fold((event,), state)


def _copy(state: RunState) -> RunState:
    return replace(
        state,
        units=dict(state.units),
        gates=dict(state.gates),
        applied=list(state.applied),
        applied_at=list(state.applied_at),
        checkpoints=list(state.checkpoints),
    )


def _apply(state: RunState, event: e.Recorded) -> None:
    if event.version <= state.version:
        return
    state.version, state.updated_at = event.version, event.timestamp
    kind = type(event.data)
    handler = HANDLERS.get(kind)
    if handler is not None and (state.admitted or kind in BEFORE_ADMISSION):
        handler(state, event.data, event.timestamp)


def _requested(state: RunState, data: e.RunRequested, at: datetime) -> None:
    if state.requested_at is not None:
        return
    state.run_id, state.plan, state.plan_sha256 = data.run_id, data.plan, data.plan_sha256
    state.base, state.options, state.requested_at = data.base, data.options, at


def _rejected(state: RunState, data: e.RunRejected, _: datetime) -> None:
    state.rejected, state.outcome = data.reason, Outcome.FAILED


def _admitted(state: RunState, data: e.RunAdmitted, _: datetime) -> None:
    if state.admitted:
        return
    state.admitted, state.rejected = True, None
    state.base_tree = state.tree = data.base_tree
    state.limits, state.cap, state.checks = data.limits, data.limits.cap, data.checks
    state.tasks, state.options, state.control_files = data.tasks, data.options, data.control_files
    state.units = {u.id: UnitState(u) for u in sorted(data.units, key=lambda u: u.order)}
    state.dependents = _dependents(data.units)
    state.checkpoints = [Checkpoint(0, data.base_tree)]
    settle_all(state)


def _dependents(units: tuple[e.UnitSpec, ...]) -> dict[str, tuple[str, ...]]:
    dependents: dict[str, list[str]] = {u.id: [] for u in units}
    if len(dependents) < len(units):
        raise InvalidStream("the run was admitted with two units of the same id")
    for unit in units:
        for need in unit.needs:
            if need not in dependents:
                raise InvalidStream(f"unit {unit.id!r} needs {need!r}, which the run has not")
            dependents[need].append(unit.id)
    return {name: tuple(others) for name, others in dependents.items()}


def _resumed(state: RunState, data: e.RunResumed, _: datetime) -> None:
    if data.generation <= state.generation:
        return
    state.generation = data.generation
    state.cap = data.cap if data.cap is not None else state.cap
    state.warned = state.warned and state.spent >= WARN_AT * state.cap
    state.outcome = state.failure = None
    state.cancelled = False
    for name, unit in list(state.units.items()):
        if unit.status is UnitStatus.FAILED and unit.reason in RESUMABLE:
            state.units[name] = replace(unit, status=UnitStatus.OPEN, reason=None, failures=0)
    settle_all(state)


def _dispatched(state: RunState, data: e.AttemptDispatched, _: datetime) -> None:
    unit = state.units.get(data.unit)
    if unit is None or any(t.attempt == data.attempt for t in unit.tries):
        return
    state.reserved += data.slice
    state.landing = False
    another = unit.status is UnitStatus.RUNNING or data.purpose is Purpose.PICK
    state.units[data.unit] = replace(
        unit,
        status=UnitStatus.RUNNING,
        tries=(*unit.tries, Try(data)),
        since=unit.since if another else len(unit.tries),
        continues=None,
        hint="",
        revoked=unit.revoked or not state.unblocked(unit),
    )


def _finished(state: RunState, data: e.AttemptFinished, _: datetime) -> None:
    unit = state.units.get(data.unit)
    known = unit and next((t for t in unit.tries if t.attempt == data.attempt), None)
    if unit is None or known is None or known.outcome is not None:
        return
    state.reserved -= known.dispatched.slice
    state.landing = True
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
    settle(state, (data.unit,))


def _patch_rejected(state: RunState, data: e.PatchRejected, _: datetime) -> None:
    if _carried(state, data.unit, data.attempt):
        _close(state, data.unit, UnitStatus.REJECTED, data.reason)


def _conflict(state: RunState, data: e.ConflictFound, _: datetime) -> None:
    """A patch is resolved once, and again as often as a unit is tried when others came first."""
    unit = _carried(state, data.unit, data.attempt)
    if unit is None:
        return
    resolved = [t for t in unit.tries if (t.purpose, t.outcome) == RESOLVED]
    overtaken = unit.try_of(data.attempt) in resolved
    if overtaken and len(resolved) >= state.limits.attempts:
        _close(state, data.unit, UnitStatus.CONFLICTED, "conflict")
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


def _merged(state: RunState, data: e.MergeCompleted, at: datetime) -> None:
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


def _verification_passed(state: RunState, data: e.VerificationPassed, _: datetime) -> None:
    if _judged(state, data):
        _accept(state)


def _verification_failed(state: RunState, data: e.VerificationFailed, _: datetime) -> None:
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


def _blamed(state: RunState, data: e.PatchBlamed, _: datetime) -> None:
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


def _approval_requested(state: RunState, data: e.ApprovalRequested, _: datetime) -> None:
    gate = state.units.get(data.gate)
    if gate is not None and state.ready(gate):
        state.gates[data.gate] = GateState(data.tree, data.from_tree)
        state.units[data.gate] = replace(gate, status=UnitStatus.WAITING)


def _approval_granted(state: RunState, data: e.ApprovalGranted, _: datetime) -> None:
    if _waits(state, data.gate):
        state.gates[data.gate] = replace(state.gates[data.gate], state="approved")
        state.units[data.gate] = replace(state.units[data.gate], status=UnitStatus.DONE)
        settle(state, (data.gate,))


def _approval_denied(state: RunState, data: e.ApprovalDenied, _: datetime) -> None:
    if _waits(state, data.gate):
        denied = replace(state.gates[data.gate], state="rejected", reason=data.reason)
        state.gates[data.gate] = denied
        reopen_phase(state, data.gate, data.reason)
        settle_all(state)


def _waits(state: RunState, gate: str) -> bool:
    return gate in state.gates and state.units[gate].status is UnitStatus.WAITING


def _warned(state: RunState, _: e.BudgetWarned, __: datetime) -> None:
    state.warned = True


def _exhausted(state: RunState, data: e.BudgetExhausted, _: datetime) -> None:
    for name in data.units:
        unit = state.units.get(name)
        if unit is None or unit.status is not UnitStatus.OPEN:
            continue
        if unit.purpose is Purpose.PICK:
            state.units[name] = unjudged(unit)
        else:
            _close(state, name, UnitStatus.FAILED, "budget")


def _cancel_requested(state: RunState, _: e.CancelRequested, __: datetime) -> None:
    state.cancelled = True


def _written_back(state: RunState, data: e.PlanWrittenBack, _: datetime) -> None:
    state.written = data


def _ended(outcome: Outcome) -> Callable[[RunState, e.EventData, datetime], None]:
    def end(state: RunState, _: e.EventData, __: datetime) -> None:
        state.outcome = outcome

    return end


def _close(state: RunState, unit: str, status: UnitStatus, reason: str) -> None:
    state.units[unit] = replace(state.units[unit], status=status, reason=reason, carrier=None)
    settle(state, (unit,))


HANDLERS: dict[type[e.EventData], Callable[[RunState, Any, datetime], None]] = {
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
BEFORE_ADMISSION = frozenset(
    {
        e.RunRequested,
        e.RunRejected,
        e.RunAdmitted,
        e.RunResumed,
        e.CancelRequested,
        e.RunFailed,
        e.RunCancelled,
    }
)
