"""Wait: put gates before a person, and hold the execution still until one has spoken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.decide import decide
from fanfold.run.state import Outcome
from fanfold.steps.ask import ask
from fanfold.steps.finish import write_result
from fanfold.steps.perform import current
from fanfold.steps.rest import Held, hold
from fanfold.steps.start import promote, start

if TYPE_CHECKING:
    from fanfold.run.steps import Ask
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Supervision, Wiring


def wait(
    journal: Journal,
    step: Ask,
    generation: int,
    token: str,
    wiring: Wiring,
    supervision: Supervision,
) -> None:
    """Let the execution that `token` holds go on, at once or when `start` finds an answer.

    While it waits its slot is another run's. Of a batch, that one is told. Raises `Superseded`.
    """
    is_due = decide(current(journal, generation)) == step
    if is_due and not step.waiting:
        ask(journal, step, wiring)
    if not is_due or not step.waiting:
        supervision.executions.go_on(token)
        return
    write_result(journal.state, Outcome.WAITING, wiring)
    supervision.slots.release(journal.run_id)
    hold(journal.run_id, Held(generation, token), supervision.artifacts)
    # An answer that came before the token was stored found nothing to let go on.
    if journal.state.options.batch or decide(journal.refresh()) != step:
        start(journal.run_id, supervision)
    promote(supervision)
