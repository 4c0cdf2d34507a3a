"""Begin: the execution of a run, in a slot of its own or once one comes free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.artifacts import QUEUE, queue_file, token_file
from fanfold.run.events import RunQueued, RunRejected, RunResumed
from fanfold.steps.refuse import refusal
from fanfold.steps.rest import held, is_waiting

if TYPE_CHECKING:
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Supervision

CLAIM_S = 120.0


def begin(journal: Journal, supervision: Supervision) -> bool:
    """Start or wake the execution of a run that was asked for; gives whether it goes on now.

    Safe to repeat. Raises `LeaseLost` where the claim of its slot expired meanwhile.
    """
    state, run_id = journal.state, journal.run_id
    if state.outcome is not None or is_waiting(state, supervision):
        leave_queue(run_id, supervision)
        return False
    problem = refusal(state, supervision)
    if problem:
        journal.append(RunRejected(problem))
        leave_queue(run_id, supervision)
        return False
    if supervision.slots.claim(run_id, CLAIM_S) is None:
        _queue(journal, supervision)
        return False
    _go(journal, supervision)
    leave_queue(run_id, supervision)
    return True


def queued(run_id: str, supervision: Supervision) -> list[str]:
    """The places that the run has among those that wait for a slot."""
    return [e for e in supervision.artifacts.list(QUEUE) if e.endswith(f"-{run_id}")]


def leave_queue(run_id: str, supervision: Supervision) -> None:
    for entry in queued(run_id, supervision):
        supervision.artifacts.delete(entry)


def _go(journal: Journal, supervision: Supervision) -> None:
    """Start the execution of this generation, or let it go on where it waited for a person.

    One that ended while it waited, for the time was up or somebody stopped it, is followed by the
    next generation; what else an execution ended of is the reaper's to judge.
    """
    run_id, executions = journal.run_id, supervision.executions
    waited = held(run_id, supervision.artifacts)
    execution = executions.start(run_id, journal.state.generation)
    if waited and executions.is_over(execution):
        state = journal.append(RunResumed(journal.state.generation + 1, handover=True))
        supervision.artifacts.delete(token_file(run_id))
        execution, waited = executions.start(run_id, state.generation), None
    if executions.is_over(execution):
        supervision.slots.release(run_id, execution)
        supervision.slots.release_claim(run_id)
        return
    _hold(journal, execution, supervision)
    if waited:
        executions.go_on(waited.token)
        supervision.artifacts.delete(token_file(run_id))


def _hold(journal: Journal, execution: str, supervision: Supervision) -> None:
    """Of generations that begin at once, the latest has the slot."""
    generation = journal.state.generation
    supervision.slots.hold(journal.run_id, execution)
    latest = journal.refresh().generation
    if latest > generation:
        execution = supervision.executions.name_of(journal.run_id, latest)
        supervision.slots.hold(journal.run_id, execution)


def _queue(journal: Journal, supervision: Supervision) -> None:
    if queued(journal.run_id, supervision):
        return
    when = supervision.clock.now().strftime("%Y%m%dT%H%M%S%f")
    supervision.artifacts.put(queue_file(when, journal.run_id), b"")
    journal.append(RunQueued("every slot is taken"))
