"""Reap: what ended without saying so gives back what it held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.agent.log import AttemptLog
from fanfold.errors import LeaseHeld
from fanfold.run.artifacts import WAITING
from fanfold.run.attempt import Exit
from fanfold.run.attempt_fold import fold_attempt
from fanfold.run.events import AttemptClaimed, AttemptEnded, attempt_stream
from fanfold.steps.decide import lease_of, owner_of
from fanfold.steps.start import promote, start

if TYPE_CHECKING:
    from fanfold.steps.wiring import Supervision

REAPER = "reaper"
LEASE_S = 60.0


def reap_execution(run_id: str, execution: str, supervision: Supervision) -> None:
    """Free the slot of an execution that has ended, and start who waits for one."""
    supervision.slots.release(run_id, execution)
    promote(supervision)


def reap_all(supervision: Supervision) -> None:
    """Free every slot whose execution is over, and let go on what was answered or queued."""
    for slot in supervision.slots.taken():
        if slot.execution and supervision.executions.is_over(slot.execution):
            supervision.slots.release(slot.run, slot.execution)
    for entry in supervision.artifacts.list(WAITING):
        start(entry.removeprefix(WAITING), supervision)
    promote(supervision)


def reap_attempt(run_id: str, attempt: str, why: str, supervision: Supervision) -> None:
    """Let an attempt whose process has ended for certain be told as lost, unless it ended itself.

    One that was never claimed is claimed and ended here, so that a place that cannot start anything
    uses up the unit's tries instead of being asked for ever.
    """
    journal = supervision.journal(run_id)
    log = AttemptLog.resume(journal.store, attempt_stream(run_id, attempt))
    told = fold_attempt(log.read())
    name = lease_of(run_id, attempt)
    if told.claimed:
        supervision.lease.release(name, owner_of(told.holder, attempt))
        return
    try:
        epoch = supervision.lease.acquire(name, REAPER, LEASE_S)
    except LeaseHeld:
        return
    try:
        generation = journal.refresh().generation
        log.append(AttemptClaimed(epoch, generation, REAPER), AttemptEnded(Exit.LOST, 0, why))
    finally:
        supervision.lease.release(name, REAPER)
