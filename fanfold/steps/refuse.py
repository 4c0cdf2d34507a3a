"""Refuse: why a run that was asked for cannot start now, before anything is spent on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import ArtifactMissing, LeaseHeld
from fanfold.run.artifacts import snapshot_file
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    from fanfold.run.state import RunState
    from fanfold.steps.request import Request
    from fanfold.steps.wiring import Supervision

PLAN_S = 400 * 86_400.0
"""How long a plan stays a run's without a word of it: longer than any run lives."""


def refusal(state: RunState, supervision: Supervision) -> str | None:
    """The reason and the mend; None where nothing is in the way.

    From then on the plan is this run's until the run has ended.
    """
    request = load_request(supervision.artifacts, state.run_id)
    snapshot = snapshot_file(request.pushed, "idx")
    if not state.admitted and not supervision.artifacts.exists(snapshot):
        return (
            f"the snapshot of its base {request.pushed} is missing: push it, then "
            f"`fanfold resume {state.run_id}`"
        )
    other = _run_of_plan(request, supervision)
    if other is None:
        return None
    return (
        f"run {other} of the same plan is under way: answer or cancel it, or wait, then "
        f"`fanfold resume {state.run_id}`"
    )


def _run_of_plan(request: Request, supervision: Supervision) -> str | None:
    """The other run that has the plan; None once it is this one's.

    Whether a run has ended is read from its log: a plan that nobody gave back is free all the same.
    """
    name = f"plan/{request.project}/{request.plan_path}"
    while True:
        try:
            supervision.lease.acquire(name, request.run_id, PLAN_S)
        except LeaseHeld as held:
            if _lives(held.holder, supervision):
                return held.holder
            supervision.lease.release(name, held.holder)
        else:
            return None


def _lives(run_id: str, supervision: Supervision) -> bool:
    try:
        return supervision.journal(run_id).refresh().outcome is None
    except ArtifactMissing:
        return False
