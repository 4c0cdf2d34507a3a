"""Start: an execution for every run that was asked for, as many at a time as there are slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import FanfoldError
from fanfold.run.artifacts import QUEUE
from fanfold.steps.begin import begin, leave_queue
from fanfold.steps.carry_on import carry_on
from fanfold.steps.request import load_request, requested
from fanfold.steps.rest import is_at_rest

if TYPE_CHECKING:
    from fanfold.run.state import RunState
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Supervision


def start(run_id: str, supervision: Supervision) -> bool:
    """See to it that the run goes on, now or when a slot comes free; gives whether it does now.

    Where a run of a batch has ended, or waited for a person, its batch is seen to instead.

    Safe to repeat. Raises:
        ArtifactMissing: nobody asked for this run.
        LeaseLost: the claim of its slot expired meanwhile; start it again.
    """
    journal = supervision.journal(run_id)
    state = _requested(journal, supervision)
    batch = state.options.batch
    if batch and is_at_rest(state, supervision.artifacts):
        leave_queue(run_id, supervision)
        carry_on(batch, supervision)
        return False
    goes_on = begin(journal, supervision)
    if batch and journal.state.outcome is not None:
        carry_on(batch, supervision)
    return goes_on


def promote(supervision: Supervision) -> None:
    """Start the runs that wait for a slot, the oldest first, until one has to wait on.

    One that cannot be started holds up no other; its error is raised in the end.
    """
    failed: FanfoldError | None = None
    for entry in supervision.artifacts.list(QUEUE):
        try:
            started = start(entry.rpartition("-")[2], supervision)
        except FanfoldError as error:
            failed = error
            continue
        if not started and entry in supervision.artifacts.list(QUEUE):
            break
    if failed:
        raise failed


def _requested(journal: Journal, supervision: Supervision) -> RunState:
    state = journal.refresh()
    if state.requested_at is not None:
        return state
    return journal.append(requested(load_request(supervision.artifacts, journal.run_id)))
