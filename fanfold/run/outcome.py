"""What an attempt's end means for its unit: a patch, another try, or the end of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.run.attempt import JUDGING, SEND_BACK, Exit, Purpose
from fanfold.run.circles import Circles
from fanfold.run.holds import held, is_repeated
from fanfold.run.state import RunState, Try, UnitState, UnitStatus

if TYPE_CHECKING:
    from fanfold.run.events import AttemptDispatched

FINAL = frozenset({Exit.BLOCKED, Exit.BUDGET, Exit.REFUSED, Exit.MODEL_REJECTED, Exit.MODEL_DENIED})
PAUSED = frozenset({Exit.INTERRUPTED, Exit.CANCELLED, Exit.ESCALATE})
CONTINUABLE = frozenset(
    {Exit.STEPS, Exit.TIMEOUT, Exit.CONTEXT_FULL, Exit.LOST, Exit.BUDGET, Exit.ESCALATE}
)
OUTSIDE = frozenset({Exit.MODEL_DENIED, Exit.MODEL_UNAVAILABLE})
RESUMABLE = OUTSIDE | {Exit.BUDGET, Exit.LOST}
GIVEN_UP = {
    Purpose.RESOLVE: (UnitStatus.CONFLICTED, "conflict"),
    Purpose.REPAIR: (UnitStatus.REJECTED, "check_failed"),
}


def after_attempt(state: RunState, unit: UnitState, ended: Try) -> UnitState:
    """The unit after `ended`, which already stands in its tries.

    May mark the run as failed from outside.
    """
    if unit.revoked:
        return unit if unit.in_flight else unit.anew()
    if ended.purpose is Purpose.CANDIDATE:
        return _after_candidate(state, unit)
    if ended.purpose is Purpose.PICK:
        return _after_pick(state, unit, ended)
    if ended.purpose is Purpose.REVIEW:
        return _after_review(unit, ended)
    if ended.outcome is Exit.SUBMITTED:
        return _handed_in(state, unit, ended)
    return _again_or_over(state, unit, ended)


def carried_on(unit: UnitState, dispatched: AttemptDispatched) -> Circles:
    """How far the attempt circled that broke off right before; who starts over counts anew."""
    before = [t for t in unit.tries if t.outcome is not None and t.purpose is dispatched.purpose]
    broke_off = before and before[-1].outcome in CONTINUABLE | PAUSED
    return before[-1].circles if broke_off else Circles()


def unjudged(unit: UnitState) -> UnitState:
    """The unit with the first patch on offer, where no arbiter made a choice: nothing is lost."""
    return replace(_patched(unit, unit.offered[0]), purpose=Purpose.WORK)


def _patched(unit: UnitState, carrier: Try) -> UnitState:
    return replace(unit, status=UnitStatus.PATCHED, carrier=carrier.attempt, failures=0)


def _again_or_over(state: RunState, unit: UnitState, ended: Try) -> UnitState:
    outcome = ended.outcome or Exit.LOST
    if outcome in PAUSED and not (outcome is Exit.ESCALATE and unit.escalated):
        return _paused(unit, ended)
    unit = replace(
        unit,
        failures=unit.failures + 1,
        continues=_left(ended) if outcome in CONTINUABLE else _origin(unit, ended),
        hint=_hint(ended),
    )
    if is_repeated(unit):
        return held(state, unit)
    if outcome not in FINAL and unit.failures < state.limits.attempts:
        return replace(unit, status=UnitStatus.OPEN)
    return _over(state, unit, outcome)


def _over(state: RunState, unit: UnitState, outcome: Exit) -> UnitState:
    if outcome in OUTSIDE:
        state.failure = min(outcome.value, state.failure or outcome.value)
    status, reason = UnitStatus.FAILED, outcome.value
    if outcome not in RESUMABLE:
        status, reason = given_up(unit, outcome.value)
    return replace(unit, status=status, reason=reason)


def given_up(unit: UnitState, reason: str) -> tuple[UnitStatus, str]:
    """How a unit ends that is not tried again: a patch that stays out has a word of its own."""
    return GIVEN_UP.get(unit.purpose, (UnitStatus.FAILED, reason))


def _paused(unit: UnitState, ended: Try) -> UnitState:
    return replace(
        unit,
        status=UnitStatus.OPEN,
        continues=_left(ended),
        hint=ended.dispatched.hint,
        escalated=unit.escalated or ended.outcome is Exit.ESCALATE,
    )


def _left(ended: Try) -> str | None:
    """The attempt to go on from: this one, where it left a patch, else what it started from."""
    return ended.attempt if ended.patch is not None else ended.dispatched.continues


def _origin(unit: UnitState, ended: Try) -> str | None:
    """A resolve or repair that starts over starts from the same patch again."""
    return ended.dispatched.continues if unit.purpose in GIVEN_UP else None


def _hint(ended: Try) -> str:
    """What the next try is told: what this one was, a person's words first, and how it ended."""
    return "\n".join(part for part in (ended.dispatched.hint, ended.detail) if part)


def _after_candidate(state: RunState, unit: UnitState) -> UnitState:
    """The wave is a barrier.

    Only when its last candidate has ended is there something to choose from.
    """
    if unit.in_flight:
        return unit
    if len(unit.offered) == 1:
        return _handed_in(state, unit, unit.offered[0])
    if unit.offered:
        return replace(unit, status=UnitStatus.OPEN, purpose=Purpose.PICK)
    return _again_or_over(state, unit, min(unit.tries[unit.since :], key=_hopefulness))


def _hopefulness(candidate: Try) -> tuple[bool, bool, int]:
    """Who speaks for a round without a patch: one that was paused, one to retry, the first."""
    return (
        candidate.outcome not in PAUSED,
        candidate.outcome in FINAL,
        candidate.dispatched.number,
    )


def _after_pick(state: RunState, unit: UnitState, ended: Try) -> UnitState:
    if ended.outcome in PAUSED:
        return replace(unit, status=UnitStatus.OPEN)
    chosen = next((t for t in unit.offered if t.attempt == ended.choice), unit.offered[0])
    return _handed_in(state, unit, chosen)


def _handed_in(state: RunState, unit: UnitState, carrier: Try) -> UnitState:
    """A patch for the unit's task: to the reviewer first, where the run has one, and only once."""
    if not state.options.review or unit.reviewed or unit.purpose in GIVEN_UP:
        return replace(_patched(unit, carrier), purpose=_after(unit))
    return replace(
        unit, status=UnitStatus.OPEN, purpose=Purpose.REVIEW, continues=carrier.attempt, failures=0
    )


def _after(unit: UnitState) -> Purpose:
    return Purpose.WORK if unit.purpose in JUDGING else unit.purpose


def _after_review(unit: UnitState, ended: Try) -> UnitState:
    """A review that was not made, for whatever reason, stops no patch."""
    reviewed = ended.dispatched.continues
    if ended.outcome in PAUSED:
        return replace(unit, status=UnitStatus.OPEN, continues=reviewed)
    if ended.choice != SEND_BACK:
        return unreviewed(replace(unit, continues=reviewed))
    return replace(
        unit,
        status=UnitStatus.OPEN,
        purpose=Purpose.WORK,
        continues=reviewed,
        hint=f"A reviewer sent this back: {ended.detail}",
        reviewed=True,
    )


def unreviewed(unit: UnitState) -> UnitState:
    """The unit with the patch that a reviewer has let pass, or was not paid to look at."""
    carrier = unit.try_of(unit.continues or "")
    return replace(_patched(unit, carrier), purpose=Purpose.WORK, continues=None, reviewed=True)
