"""`evolve`: the run stream's events folded into a `RunState`.

Pure and total. What is not this run's business changes nothing: unknown types, unknown units, what
comes before admission, an event that was folded already, and one that another event has overtaken
(a merge of a tree that a person took back meanwhile).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from fanfold.errors import InvalidStream
from fanfold.run import approvals, merging, retries
from fanfold.run import events as e
from fanfold.run.attempt import JUDGING, Exit, Purpose
from fanfold.run.money import WARN_AT
from fanfold.run.outcome import RESUMABLE, after_attempt, unjudged, unreviewed
from fanfold.run.settle import close, settle, settle_all
from fanfold.run.state import Checkpoint, Outcome, RunState, Try, UnitState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime


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


USUAL_SLICE = e.RunLimits(cap=0).slice


def _uncapped(limits: e.RunLimits, before: int, cap: int) -> e.RunLimits:
    """A slice that was as large as the cap was cut down to it, and grows with it."""
    if limits.slice < before:
        return limits
    return replace(limits, slice=min(cap, max(limits.slice, USUAL_SLICE)))


def _resumed(state: RunState, data: e.RunResumed, _: datetime) -> None:
    if data.generation <= state.generation:
        return
    state.generation = data.generation
    if data.handover:
        return
    if data.cap is not None:
        state.limits = _uncapped(state.limits, state.cap, data.cap)
        state.cap = data.cap
    state.warned = state.warned and state.spent >= WARN_AT * state.cap
    state.outcome = state.failure = state.rejected = None
    state.trouble = ""
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
    another = unit.status is UnitStatus.RUNNING or data.purpose in JUDGING
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
        denied_hosts=data.denied_hosts,
        metrics=data.metrics,
        circles=data.circles,
        unsure=data.unsure,
    )
    unit = replace(unit, tries=tuple(ended if t is known else t for t in unit.tries))
    state.units[data.unit] = after_attempt(state, unit, ended)
    settle(state, (data.unit,))


def _given(state: RunState, data: e.PatchGiven, _: datetime) -> None:
    """As the unit's first attempt, or as what a person made of a conflict.

    Needs that are not met yet keep the patch from being merged, not from standing there.
    """
    unit = state.units.get(data.unit)
    if unit is None or (unit.tries and unit.status is not UnitStatus.CONFLICTED):
        return
    number = len(unit.tries) + 1
    given = Try(
        e.AttemptDispatched(
            attempt=data.attempt,
            unit=data.unit,
            number=number,
            role=unit.spec.role,
            purpose=Purpose.RESOLVE if unit.tries else Purpose.WORK,
            placement="",
            slice=0,
            base_tree=data.base_tree,
            generation=state.generation,
        ),
        Exit.SUBMITTED,
        tree=data.tree,
        epoch=data.epoch,
        patch=data.patch,
    )
    state.units[data.unit] = replace(
        unit,
        status=UnitStatus.PATCHED,
        tries=(*unit.tries, given),
        carrier=given.attempt,
        reason=None,
        pardoned=len(unit.tries),
    )
    if number > 1:
        settle_all(state)


def _warned(state: RunState, _: e.BudgetWarned, __: datetime) -> None:
    state.warned = True


def _exhausted(state: RunState, data: e.BudgetExhausted, _: datetime) -> None:
    for name in data.units:
        unit = state.units.get(name)
        if unit is None or unit.status is not UnitStatus.OPEN:
            continue
        if unit.purpose is Purpose.PICK:
            state.units[name] = unjudged(unit)
        elif unit.purpose is Purpose.REVIEW:
            state.units[name] = unreviewed(unit)
        else:
            close(state, name, UnitStatus.FAILED, "budget")


def _cancel_requested(state: RunState, _: e.CancelRequested, __: datetime) -> None:
    state.cancelled = True


def _written_back(state: RunState, data: e.PlanWrittenBack, _: datetime) -> None:
    state.written = data


def _ended(outcome: Outcome) -> Callable[[RunState, e.EventData, datetime], None]:
    def end(state: RunState, _: e.EventData, __: datetime) -> None:
        state.outcome = outcome

    return end


def _failed(state: RunState, data: e.RunFailed, _: datetime) -> None:
    """What broke outside of every task is told in words; what a task ended with has its code."""
    state.outcome = Outcome.FAILED
    state.trouble = "" if data.reason == state.failure else data.reason


HANDLERS: dict[type[e.EventData], Callable[[RunState, Any, datetime], None]] = {
    e.RunRequested: _requested,
    e.RunRejected: _rejected,
    e.RunAdmitted: _admitted,
    e.RunResumed: _resumed,
    e.AttemptDispatched: _dispatched,
    e.AttemptFinished: _finished,
    e.PatchGiven: _given,
    e.PatchRejected: merging.patch_rejected,
    e.PatchHeld: merging.patch_held,
    e.ConflictFound: merging.conflict_found,
    e.MergeCompleted: merging.merge_completed,
    e.VerificationPassed: merging.verification_passed,
    e.VerificationFailed: merging.verification_failed,
    e.PatchBlamed: merging.patch_blamed,
    e.ApprovalRequested: approvals.approval_requested,
    e.ApprovalGranted: approvals.approval_granted,
    e.ApprovalDenied: approvals.approval_denied,
    e.RetryRequested: retries.retry_requested,
    e.BudgetWarned: _warned,
    e.BudgetExhausted: _exhausted,
    e.CancelRequested: _cancel_requested,
    e.PlanWrittenBack: _written_back,
    e.RunCompleted: _ended(Outcome.COMPLETED),
    e.RunIncomplete: _ended(Outcome.INCOMPLETE),
    e.RunFailed: _failed,
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
