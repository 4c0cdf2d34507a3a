"""Orphans: runs whose execution is over before they are; nothing is left in flight, or untold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.agent.log import AttemptLog
from fanfold.errors import LeaseHeld
from fanfold.ports import Ending
from fanfold.run.attempt import Exit
from fanfold.run.attempt_fold import fold_attempt
from fanfold.run.events import (
    AttemptClaimed,
    AttemptEnded,
    CancelRequested,
    RunFailed,
    RunResumed,
    attempt_stream,
)
from fanfold.steps.decide import lease_of, owner_of, settle
from fanfold.steps.rest import is_waiting
from fanfold.steps.start import start

if TYPE_CHECKING:
    from fanfold.ports import EventStore
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Supervision

REAPER = "reaper"
LEASE_S = 60.0
STOPPED = "whoever stopped the execution"


def settle_orphan(run_id: str, execution: str, supervision: Supervision) -> bool:
    """See to a run that `execution` drives or drove; gives whether that one needs its slot no more.

    Somebody stopped the execution: the run is cancelled, and the next generation winds it up. It
    failed or took too long: that is the run's end, and `resume` goes on. Either waits until every
    attempt that was claimed has ended, or its lease has expired.
    """
    ending = supervision.executions.ending(execution)
    if ending is None:
        return False
    journal = supervision.journal(run_id)
    state = journal.refresh()
    older = execution.rpartition(":")[2] != f"{run_id}-{state.generation}"
    if older or state.outcome is not None:
        return True
    if ending is not Ending.ABORTED and is_waiting(state, supervision):
        return True
    if ending is Ending.ABORTED:
        journal.append_unless(lambda run: run.cancelled, CancelRequested(STOPPED))
    if not _landed(journal, f"the execution {ending}", supervision):
        return False
    if ending in (Ending.FAILED, Ending.TIMED_OUT):
        journal.append(RunFailed(f"the execution {ending}", journal.state.verified))
        return True
    journal.append(RunResumed(journal.state.generation + 1, handover=True))
    start(run_id, supervision)
    return True


def _landed(journal: Journal, why: str, supervision: Supervision) -> bool:
    """Whether no attempt is in flight any more; one that was not claimed yet never will be."""
    for unit in list(journal.state.units.values()):
        for flying in unit.in_flight:
            if not _was_claimed(journal.store, journal.run_id, flying.attempt):
                reap_attempt(journal.run_id, flying.attempt, why, supervision)
    state = settle(journal, supervision.lease)
    return not any(unit.in_flight for unit in state.units.values())


def _was_claimed(store: EventStore, run_id: str, attempt: str) -> bool:
    log = AttemptLog.resume(store, attempt_stream(run_id, attempt))
    return fold_attempt(log.read()).claimed


def reap_attempt(run_id: str, attempt: str, why: str, supervision: Supervision) -> None:
    """Let an attempt whose process has ended for certain be told as lost, unless it ended itself.

    One that was never claimed is claimed and ended here, so that a place that cannot start anything
    uses up the unit's tries instead of being asked for ever. Should its process be there after all,
    with the lease and before its first event, that event comes too late.
    """
    journal = supervision.journal(run_id)
    log = AttemptLog.resume(journal.store, attempt_stream(run_id, attempt))
    told = fold_attempt(log.read())
    name = lease_of(run_id, attempt)
    if told.claimed:
        supervision.lease.release(name, owner_of(told.holder, attempt))
        return
    holder = supervision.lease.holder(name)
    if holder is not None:
        supervision.lease.release(name, holder)
    try:
        epoch = supervision.lease.acquire(name, REAPER, LEASE_S)
    except LeaseHeld:
        return
    try:
        generation = journal.refresh().generation
        log.append(AttemptClaimed(epoch, generation, REAPER), AttemptEnded(Exit.LOST, 0, why))
    finally:
        supervision.lease.release(name, REAPER)
