"""Invoke: run an attempt that is known by its name alone, as a function or a container is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import LeaseHeld
from fanfold.steps.attempt import attempt
from fanfold.steps.decide import lease_of, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.run.events import AttemptFinished
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Wiring


def invoke(
    journal: Journal,
    name: str,
    wiring: Wiring,
    holder: str,
    stopping: Callable[[], bool],
    *,
    escalate_after_s: float | None = None,
) -> AttemptFinished:
    """Run the attempt `name`, unless that was done before; gives how it ended.

    Raises `LeaseHeld` while another invocation is at it: come back when that one has ended.
    """
    state = journal.refresh()
    dispatched = state.units[name.rpartition(".")[0]].try_of(name).dispatched
    attempt(state, dispatched, wiring, holder, stopping, escalate_after_s=escalate_after_s)
    ended = outcome_of(wiring.events, wiring.lease, journal.run_id, dispatched)
    if ended is None:
        lease = lease_of(journal.run_id, name)
        raise LeaseHeld(lease, wiring.lease.holder(lease) or "nobody")
    return ended
