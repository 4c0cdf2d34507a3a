"""Answer: a person's word goes into the log, and what waited for it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import UserError
from fanfold.run.events import ApprovalDenied, ApprovalGranted, CancelRequested, RunResumed
from fanfold.steps.start import start

if TYPE_CHECKING:
    from fanfold.run.state import RunState
    from fanfold.steps.wiring import Supervision

Word = ApprovalGranted | ApprovalDenied | CancelRequested | RunResumed
SAID = {ApprovalGranted: "approved", ApprovalDenied: "rejected"}


def answer(run_id: str, word: Word, supervision: Supervision, by: str = "") -> None:
    """Append `word` unless it was said before, and see to it that the run goes on.

    `by` is who said it, where the word itself does not tell.

    Raises `UserError` for a gate that does not wait, or a run that has ended.
    """
    journal = supervision.journal(run_id)
    if not _was_said(journal.refresh(), word):
        journal.append(word, actor=_speaker(word) or by or "user")
    start(run_id, supervision)


def _speaker(word: Word) -> str:
    return "" if isinstance(word, RunResumed) else word.by


def _was_said(state: RunState, word: Word) -> bool:
    if isinstance(word, RunResumed):
        return state.generation >= word.generation
    if isinstance(word, CancelRequested):
        return state.cancelled
    gate = state.gates.get(word.gate)
    if gate is None:
        raise UserError(f"run {state.run_id} has no gate {word.gate!r} that waits for a person")
    if gate.state == "waiting" and state.outcome is None:
        return False
    if gate.state != SAID[type(word)]:
        raise UserError(f"gate {word.gate!r} of run {state.run_id} is {gate.state} already")
    return True
