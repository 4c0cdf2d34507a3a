"""Start: an execution for every run that was asked for, as many at a time as there are slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import FanfoldError
from fanfold.run.artifacts import QUEUE, queue_file, token_file
from fanfold.run.decide import decide
from fanfold.run.events import RunQueued, RunRejected, RunResumed
from fanfold.run.steps import Ask
from fanfold.steps.refuse import refusal
from fanfold.steps.request import load_request, requested

if TYPE_CHECKING:
    from fanfold.run.state import RunState
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Supervision

CLAIM_S = 120.0


def start(run_id: str, supervision: Supervision) -> bool:
    """See to it that the run goes on, now or when a slot comes free; gives whether it does now.

    Safe to repeat. Raises:
        ArtifactMissing: nobody asked for this run.
        LeaseLost: the claim of its slot expired meanwhile; start it again.
    """
    journal = supervision.journal(run_id)
    state = _requested(journal, supervision)
    if state.outcome is not None or is_waiting(state, supervision):
        _leave_queue(run_id, supervision)
        return False
    problem = refusal(state, supervision)
    if problem:
        journal.append(RunRejected(problem))
        _leave_queue(run_id, supervision)
        return False
    if supervision.slots.claim(run_id, CLAIM_S) is None:
        _queue(journal, supervision)
        return False
    _go(journal, supervision)
    _leave_queue(run_id, supervision)
    return True


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


def is_waiting(state: RunState, supervision: Supervision) -> bool:
    """Whether the run's execution waits for a person who has not spoken yet."""
    step = decide(state)
    waits = isinstance(step, Ask) and step.waiting
    return waits and supervision.artifacts.exists(token_file(state.run_id))


def _requested(journal: Journal, supervision: Supervision) -> RunState:
    state = journal.refresh()
    if state.requested_at is not None:
        return state
    return journal.append(requested(load_request(supervision.artifacts, journal.run_id)))


def _go(journal: Journal, supervision: Supervision) -> None:
    """Start the execution of this generation, or let it go on where it waited for a person.

    One that ended while it waited, for the time was up or somebody stopped it, is followed by the
    next generation; what else an execution ended of is the reaper's to judge.
    """
    run_id, executions = journal.run_id, supervision.executions
    token = token_file(run_id)
    waited = supervision.artifacts.exists(token)
    execution = executions.start(run_id, journal.state.generation)
    if waited and executions.is_over(execution):
        state = journal.append(RunResumed(journal.state.generation + 1, handover=True))
        supervision.artifacts.delete(token)
        execution, waited = executions.start(run_id, state.generation), False
    if executions.is_over(execution):
        supervision.slots.release(run_id)
        return
    supervision.slots.hold(run_id, execution)
    if waited:
        executions.go_on(supervision.artifacts.get(token).decode())
        supervision.artifacts.delete(token)


def _queue(journal: Journal, supervision: Supervision) -> None:
    if _queued(journal.run_id, supervision):
        return
    when = supervision.clock.now().strftime("%Y%m%dT%H%M%S%f")
    supervision.artifacts.put(queue_file(when, journal.run_id), b"")
    journal.append(RunQueued("every slot is taken"))


def _leave_queue(run_id: str, supervision: Supervision) -> None:
    for entry in _queued(run_id, supervision):
        supervision.artifacts.delete(entry)


def _queued(run_id: str, supervision: Supervision) -> list[str]:
    return [e for e in supervision.artifacts.list(QUEUE) if e.endswith(f"-{run_id}")]
