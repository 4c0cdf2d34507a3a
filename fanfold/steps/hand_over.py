"""Hand over: a run that outgrows one execution goes on in the next, as a new generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.events import RunResumed
from fanfold.steps.start import start

if TYPE_CHECKING:
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Supervision

LONGEST_HISTORY = 20_000
"""Events of an execution before it hands over; Step Functions ends one at 25,000."""


def hand_over(journal: Journal, execution: str, supervision: Supervision) -> bool:
    """Start the next generation if `execution` has a long history; gives whether it did.

    Never while attempts are in flight: they stop for a new generation.
    """
    state = journal.refresh()
    flying = any(unit.in_flight for unit in state.units.values())
    if flying or state.outcome or supervision.executions.events(execution) < LONGEST_HISTORY:
        return False
    journal.append(RunResumed(state.generation + 1, handover=True))
    start(journal.run_id, supervision)
    return True


def is_superseded(journal: Journal, generation: int, supervision: Supervision) -> bool:
    """Whether a later generation drives the run; its execution is started if it was not yet."""
    state = journal.refresh()
    if state.generation <= generation:
        return False
    start(journal.run_id, supervision)
    return True
