"""Answer: a person's word goes into the log, and what waited for it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import UserError
from fanfold.run.artifacts import run_file
from fanfold.run.events import (
    ApprovalDenied,
    ApprovalGranted,
    CancelRequested,
    PatchGiven,
    RetryRequested,
    RunResumed,
)
from fanfold.run.retries import can_be_retried, is_to_be_retried
from fanfold.run.state import UnitStatus
from fanfold.steps.request import MANIFEST
from fanfold.steps.start import start

if TYPE_CHECKING:
    from fanfold.run.state import RunState, UnitState
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Supervision

Change = RetryRequested | PatchGiven
"""What a person changes of a run that has stopped."""
Word = ApprovalGranted | ApprovalDenied | CancelRequested | RunResumed | Change
WORDS: dict[str, type[Word]] = {
    "approve": ApprovalGranted,
    "reject": ApprovalDenied,
    "cancel": CancelRequested,
    "resume": RunResumed,
    "retry": RetryRequested,
    "settle": PatchGiven,
}
SAID = {ApprovalGranted: "approved", ApprovalDenied: "rejected"}


def answer(
    run_id: str,
    word: Word,
    supervision: Supervision,
    by: str = "",
    then: RunResumed | None = None,
) -> None:
    """Append `word` unless it was said before, and see to it that the run goes on.

    `by` is who said it, where the word itself does not tell. A change of a run that has ended takes
    effect with the generation that follows: `then` begins it in the same append.

    Raises `UserError` for a gate that does not wait, a task that cannot be tried again or settled,
    or a run that has ended.
    """
    journal = supervision.journal(run_id)
    state = journal.refresh()
    if state.options.batch:
        _leave_generations_to_the_batch(state, word, then)
    words = (word,) if then is None else (word, then)
    journal.append_unless(
        lambda state: _was_said(state, word, then), *words, actor=_speaker(word) or by or "user"
    )
    # Whose request is still on its way starts when that arrives, and finds the word in its log.
    if isinstance(word, CancelRequested) and not _is_asked_for(journal, supervision):
        return
    start(run_id, supervision)


def _is_asked_for(journal: Journal, supervision: Supervision) -> bool:
    manifest = run_file(journal.run_id, MANIFEST)
    return journal.state.requested_at is not None or supervision.artifacts.exists(manifest)


def _leave_generations_to_the_batch(state: RunState, word: Word, then: RunResumed | None) -> None:
    """Raises `UserError` for who would go on with money that is the batch's."""
    resumed = then or word
    if isinstance(resumed, RunResumed) and not resumed.handover:
        batch = state.options.batch
        raise UserError(f"run {state.run_id} belongs to batch {batch}: resume that one")


def _speaker(word: Word) -> str:
    return "" if isinstance(word, RunResumed | PatchGiven) else word.by


def _was_said(state: RunState, word: Word, then: RunResumed | None) -> bool:
    if isinstance(word, RunResumed):
        return state.generation >= word.generation
    if isinstance(word, CancelRequested):
        return state.cancelled
    if isinstance(word, Change):
        return _was_changed(state, word, then)
    gate = state.gates.get(word.gate)
    if gate is None:
        raise UserError(f"run {state.run_id} has no gate {word.gate!r} that waits for a person")
    if gate.state == "waiting" and state.outcome is None:
        return False
    if gate.state != SAID[type(word)]:
        raise UserError(f"gate {word.gate!r} of run {state.run_id} is {gate.state} already")
    return True


def _was_changed(state: RunState, change: Change, then: RunResumed | None) -> bool:
    if then is not None and state.generation >= then.generation:
        return True
    unit = state.units.get(change.unit)
    if unit is not None and _holds(unit, change):
        return True
    if unit is None or not _takes(unit, change):
        stands = f"is {unit.status}" if unit else "is none of its tasks"
        raise UserError(f"{change.unit!r} of run {state.run_id} {stands}: nothing to change there")
    return False


def _holds(unit: UnitState, change: Change) -> bool:
    if isinstance(change, PatchGiven):
        return any(tried.attempt == change.attempt for tried in unit.tries)
    return is_to_be_retried(unit, change)


def _takes(unit: UnitState, change: Change) -> bool:
    if isinstance(change, PatchGiven):
        return unit.status is UnitStatus.CONFLICTED
    return can_be_retried(unit)
