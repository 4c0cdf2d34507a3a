"""Decide: settle what ended, then ask the decider for the one next step, and record a new wave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.attempt import Exit
from fanfold.run.attempt_fold import fold_attempt
from fanfold.run.decide import decide
from fanfold.run.events import (
    AttemptFinished,
    BudgetExhausted,
    BudgetWarned,
    attempt_stream,
    recorded,
)
from fanfold.run.money import WARN_AT
from fanfold.run.steps import Dispatch, Exhaust

if TYPE_CHECKING:
    from fanfold.ports import EventStore, Lease
    from fanfold.run.events import AttemptDispatched
    from fanfold.run.state import RunState
    from fanfold.run.steps import Step
    from fanfold.steps.journal import Journal


def advance(journal: Journal, lease: Lease) -> Step:
    """The next step of the run; a fresh wave is in the log when this returns."""
    journal.refresh()
    state = settle(journal, lease)
    if _must_warn(state):
        state = journal.append(BudgetWarned(state.spent, state.cap))
    step = decide(state)
    if isinstance(step, Dispatch) and step.fresh:
        journal.append(*step.attempts)
    elif isinstance(step, Exhaust):
        journal.append(BudgetExhausted(state.spent, state.cap, step.units))
        return advance(journal, lease)
    return step


def settle(journal: Journal, lease: Lease) -> RunState:
    """Record how attempts in flight ended, those that have, in one append."""
    flying = [t.dispatched for unit in journal.state.units.values() for t in unit.in_flight]
    store, run_id = journal.store, journal.run_id
    looked = (outcome_of(store, lease, run_id, dispatched) for dispatched in flying)
    finished = [ended for ended in looked if ended is not None]
    if finished:
        journal.append(*finished)
    return journal.state


def lease_of(run_id: str, attempt: str) -> str:
    """The name of the lease that an attempt's owner holds."""
    return f"{run_id}/{attempt}"


def owner_of(holder: str, attempt: str) -> str:
    """The name under which the process `holder` has the lease of an attempt."""
    return f"{holder}:{attempt}"


def outcome_of(
    store: EventStore, lease: Lease, run_id: str, dispatched: AttemptDispatched
) -> AttemptFinished | None:
    """How an attempt ended, read from its own stream; None while it is unclaimed or alive."""
    stream = store.read(attempt_stream(run_id, dispatched.attempt))
    ended = fold_attempt([r for e in stream if (r := recorded(e)) is not None])
    if not ended.claimed:
        return None
    if ended.ended is None and lease.holder(lease_of(run_id, dispatched.attempt)) is not None:
        return None
    return AttemptFinished(
        attempt=dispatched.attempt,
        unit=dispatched.unit,
        outcome=ended.ended or Exit.LOST,
        cost=ended.cost,
        unsure=ended.unsure,
        tree=ended.patch.tree if ended.patch else "",
        epoch=ended.epoch,
        patch=ended.patch.sha256 if ended.patch else None,
        choice=ended.choice,
        detail=ended.detail,
        denied_hosts=ended.denied_hosts,
        metrics=ended.metrics,
        circles=ended.circles,
    )


def _must_warn(state: RunState) -> bool:
    return not state.warned and state.cap > 0 and state.spent >= WARN_AT * state.cap
