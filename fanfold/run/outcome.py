"""What an attempt's end means for its unit: a patch, another try, or the end of it."""

from __future__ import annotations

from msgspec.structs import replace

from fanfold.run.attempt import Exit, Purpose
from fanfold.run.state import RunState, Try, UnitState, UnitStatus

FINAL = frozenset({Exit.BLOCKED, Exit.BUDGET, Exit.REFUSED, Exit.MODEL_REJECTED})
PAUSED = frozenset({Exit.INTERRUPTED, Exit.CANCELLED, Exit.ESCALATE})
CONTINUABLE = frozenset({Exit.STEPS, Exit.TIMEOUT, Exit.CONTEXT_FULL, Exit.LOST})
OUTSIDE = frozenset({Exit.MODEL_DENIED, Exit.MODEL_UNAVAILABLE})
GIVEN_UP = {
    Purpose.RESOLVE: (UnitStatus.CONFLICTED, "conflict"),
    Purpose.REPAIR: (UnitStatus.REJECTED, "check_failed"),
}


def after_attempt(state: RunState, unit: UnitState, ended: Try) -> UnitState:
    """The unit after `ended`, which already stands in its tries.

    May mark the run as failed from outside.
    """
    if ended.purpose is Purpose.CANDIDATE:
        return _after_candidate(state, unit, ended)
    if ended.purpose is Purpose.PICK:
        return _after_pick(unit, ended)
    if ended.outcome is Exit.SUBMITTED:
        return _patched(unit, ended)
    return _again_or_over(state, unit, ended)


def _patched(unit: UnitState, carrier: Try) -> UnitState:
    return replace(unit, status=UnitStatus.PATCHED, carrier=carrier.attempt, failures=0)


def _again_or_over(state: RunState, unit: UnitState, ended: Try) -> UnitState:
    outcome = ended.outcome or Exit.LOST
    purpose = unit.purpose
    if outcome in PAUSED:
        return replace(
            unit,
            status=UnitStatus.OPEN,
            continues=ended.attempt,
            escalated=unit.escalated or outcome is Exit.ESCALATE,
        )
    failures = unit.failures + 1
    over = outcome in FINAL or outcome is Exit.MODEL_DENIED or failures >= state.limits.attempts
    if not over:
        return replace(
            unit,
            status=UnitStatus.OPEN,
            failures=failures,
            continues=ended.attempt if outcome in CONTINUABLE else _origin(unit, ended),
            hint=ended.detail,
        )
    if outcome in OUTSIDE:
        state.failure = outcome.value
    status, reason = UnitStatus.FAILED, outcome.value
    if outcome not in OUTSIDE and outcome is not Exit.BUDGET:
        status, reason = GIVEN_UP.get(purpose, (status, reason))
    return replace(
        unit,
        status=status,
        reason=reason,
        failures=failures,
        continues=_origin(unit, ended),
        hint=ended.detail,
    )


def _origin(unit: UnitState, ended: Try) -> str | None:
    """A resolve or repair that starts over starts from the same patch again."""
    return ended.dispatched.continues if unit.purpose in GIVEN_UP else None


def _after_candidate(state: RunState, unit: UnitState, ended: Try) -> UnitState:
    """The wave is a barrier.

    Only when its last candidate has ended is there something to choose from.
    """
    if ended.outcome in OUTSIDE:
        state.failure = ended.outcome.value if ended.outcome else None
    if unit.in_flight:
        return unit
    offered = [t for t in _round(unit) if t.outcome is Exit.SUBMITTED]
    if len(offered) == 1:
        return _patched(unit, offered[0])
    if offered:
        return replace(unit, status=UnitStatus.OPEN, purpose=Purpose.PICK)
    worst = min(_round(unit), key=lambda t: t.dispatched.number)
    return _again_or_over(state, replace(unit, continues=None), worst)


def _after_pick(unit: UnitState, ended: Try) -> UnitState:
    """The arbiter's choice; without one, the first candidate, so that nothing is lost."""
    offered = [t for t in unit.tries if t.purpose is Purpose.CANDIDATE and t.patch is not None]
    chosen = next((t for t in offered if t.attempt == ended.choice), None)
    return replace(_patched(unit, chosen or offered[0]), purpose=Purpose.WORK)


def _round(unit: UnitState) -> tuple[Try, ...]:
    """The candidates of the last wave, which all share one base tree and follow each other."""
    last = unit.tries[-1].dispatched
    return tuple(
        t
        for t in unit.tries
        if t.purpose is Purpose.CANDIDATE and t.dispatched.base_tree == last.base_tree
    )
