"""Grant: a worker's one way to an attempt's lease and rights, for a key that is used once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from fanfold.errors import AttemptOver, ClaimRefused, LeaseHeld, LeaseLost
from fanfold.run.attempt_fold import fold_attempt
from fanfold.run.events import attempt_stream, recorded
from fanfold.run.grant import ClaimAttempt, Granted, ReleaseLease, RenewLease
from fanfold.run.steps import Dispatch
from fanfold.steps.decide import lease_of, owner_of
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    from fanfold.ports import Sessions
    from fanfold.run.grant import Asked, IssuedKey, Request
    from fanfold.run.state import RunState
    from fanfold.run.steps import Step
    from fanfold.steps.wiring import Supervision

LONGEST_LEASE_S = 3600.0


def draw_keys(step: Step, state: RunState, supervision: Supervision) -> dict[str, str]:
    """A key for each attempt that `step` dispatches, also for one that was dispatched before."""
    if not isinstance(step, Dispatch):
        return {}
    attempts = [dispatched.attempt for dispatched in step.attempts]
    return supervision.keys.draw(state.run_id, state.generation, attempts)


def grant(asked: Request, supervision: Supervision, sessions: Sessions) -> Granted:
    """Do what a worker asks for, if it may; every request may be repeated.

    Raises:
        ClaimRefused: the key is unknown, expired, or was spent by another process.
        AttemptOver: the attempt cannot begin any more.
        LeaseHeld: somebody else is at the attempt.
        LeaseLost: the lease has expired or was taken over, or the run has gone on without.
    """
    issued = supervision.keys.find(asked.run_id, asked.attempt, asked.key)
    if isinstance(asked, ClaimAttempt):
        return _claim(asked, issued, supervision, sessions)
    if issued.spent_by != _digest(asked):
        raise ClaimRefused(f"the key of attempt {asked.attempt!r} is another process's")
    name = lease_of(asked.run_id, asked.attempt)
    if isinstance(asked, ReleaseLease):
        supervision.lease.release(name, asked.owner)
        return Granted()
    return _renew(asked, issued, name, supervision, sessions)


def _claim(
    asked: ClaimAttempt, issued: IssuedKey, supervision: Supervision, sessions: Sessions
) -> Granted:
    state = _in_flight(asked, issued, supervision)
    name, spender = lease_of(asked.run_id, asked.attempt), _digest(asked)
    if issued.spent_by not in {"", spender} or _claimed_by_another(asked, supervision):
        holder = supervision.lease.holder(name)
        raise LeaseHeld(name, holder) if holder else _over(asked, "was begun before")
    snapshot = _snapshot(state, supervision)
    credentials = sessions.open(asked.run_id, asked.attempt, snapshot)
    epoch = supervision.lease.acquire(name, asked.owner, _bounded(asked.ttl_s))
    try:
        supervision.keys.spend(asked.run_id, asked.attempt, asked.key, spender)
    except ClaimRefused:
        supervision.lease.release(name, asked.owner)
        raise _over(asked, "was begun before") from None
    return Granted(epoch, credentials)


def _renew(
    asked: RenewLease, issued: IssuedKey, name: str, supervision: Supervision, sessions: Sessions
) -> Granted:
    if supervision.lease.holder(name) != asked.owner:
        raise LeaseLost(f"{name!r} is no longer held by {asked.owner!r}")
    supervision.lease.renew(name, asked.owner, _bounded(asked.ttl_s))
    if not asked.credentials:
        return Granted()
    try:
        state = _in_flight(asked, issued, supervision)
    except AttemptOver as error:
        raise LeaseLost(str(error)) from None
    snapshot = _snapshot(state, supervision)
    return Granted(credentials=sessions.open(asked.run_id, asked.attempt, snapshot))


def _snapshot(state: RunState, supervision: Supervision) -> str:
    """The commit whose files the attempt may read; in a batch a run may build on another's."""
    if not state.options.batch:
        return state.base
    return load_request(supervision.artifacts, state.run_id).pushed


def _in_flight(asked: Asked, issued: IssuedKey, supervision: Supervision) -> RunState:
    """The run. Raises `AttemptOver` unless it still waits for this very attempt."""
    state = supervision.journal(asked.run_id).refresh()
    unit = state.units.get(asked.attempt.rpartition(".")[0])
    flying = unit.in_flight if unit else ()
    if state.outcome or asked.attempt not in {each.attempt for each in flying}:
        raise _over(asked, "is not in flight")
    if state.generation > issued.generation:
        raise _over(asked, f"was left behind by generation {state.generation}")
    return state


def _claimed_by_another(asked: Asked, supervision: Supervision) -> bool:
    stream = attempt_stream(asked.run_id, asked.attempt)
    events = supervision.journal(asked.run_id).store.read(stream)
    told = fold_attempt([event for e in events if (event := recorded(e)) is not None])
    return told.claimed and owner_of(told.holder, asked.attempt) != asked.owner


def _over(asked: Asked, why: str) -> AttemptOver:
    return AttemptOver(f"attempt {asked.attempt!r} of run {asked.run_id!r} {why}")


def _digest(asked: Asked) -> str:
    return hashlib.sha256(asked.secret.encode()).hexdigest()


def _bounded(ttl_s: float) -> float:
    return min(max(ttl_s, 0.0), LONGEST_LEASE_S)
