"""Answer to a batch: a person cancels it or has it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import UserError
from fanfold.run.batch_events import BatchResumed
from fanfold.run.events import CancelRequested
from fanfold.run.money import dollars
from fanfold.run.state import Outcome
from fanfold.steps.carry_on import carry_on

if TYPE_CHECKING:
    from fanfold.run.batch_state import BatchState
    from fanfold.steps.wiring import Supervision

BatchWord = CancelRequested | BatchResumed
BATCH_WORDS: dict[str, type[BatchWord]] = {"cancel": CancelRequested, "resume": BatchResumed}


def answer_batch(batch_id: str, word: BatchWord, supervision: Supervision, by: str = "") -> None:
    """Append `word` unless it was said before, and see to it that the batch goes on.

    Raises `UserError` for a batch that has ended, or a cap below what it has spent or promised.
    """
    journal = supervision.batch(batch_id)
    state = journal.refresh()
    if not _was_said(state, word):
        journal.append(*_events(state, word), actor=by or "user")
    carry_on(batch_id, supervision)


def _was_said(state: BatchState, word: BatchWord) -> bool:
    if isinstance(word, BatchResumed):
        return state.generation >= word.generation
    return state.cancelled


def _events(state: BatchState, word: BatchWord) -> tuple[BatchWord, ...]:
    if isinstance(word, BatchResumed):
        if word.cap is not None and word.cap < state.cap - state.available:
            promised = dollars(state.cap - state.available)
            raise UserError(f"batch {state.batch_id} has spent or promised ${promised} already")
        return (word,)
    if state.outcome is Outcome.WAITING:
        return BatchResumed(state.generation + 1), word
    if state.outcome is not None:
        raise UserError(f"batch {state.batch_id} has ended already: {state.outcome}")
    return (word,)
