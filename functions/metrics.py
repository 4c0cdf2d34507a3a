"""What happens, as metrics in the log, from which CloudWatch takes them.

A metric is billed by the hours in which it is seen, for each combination of dimensions: so none is
written while it is zero, and what tells single runs apart is metadata and no dimension.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from fanfold.run.artifacts import QUEUE
from fanfold.run.attempt import Exit
from fanfold.run.events import (
    ApprovalRequested,
    AttemptFinished,
    BudgetExhausted,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunIncomplete,
    RunQueued,
    RunRejected,
    recorded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from fanfold.run.events import AttemptDispatched, Envelope
    from fanfold.run.state import RunState
    from fanfold.steps.wiring import Supervision

NAMESPACE = SERVICE = "fanfold"
MICRO = 1_000_000
ENDS = {
    "AttemptsWithResult": (Exit.SUBMITTED, Exit.PICKED),
    "AttemptsGivenUp": (Exit.BLOCKED, Exit.GAVE_UP, Exit.NO_SUBMIT, Exit.REFUSED),
    "AttemptsStuck": (Exit.STUCK,),
    "AttemptsOutOfBudget": (Exit.BUDGET,),
    "AttemptsOutOfTime": (Exit.STEPS, Exit.TIMEOUT, Exit.CONTEXT_FULL),
    "AttemptsCutOff": (Exit.ESCALATE, Exit.INTERRUPTED, Exit.CANCELLED, Exit.LOST),
    "AttemptsWithoutModel": (Exit.MODEL_UNAVAILABLE, Exit.MODEL_DENIED, Exit.MODEL_REJECTED),
    "AttemptsCrashed": (Exit.CRASHED,),
}
_END_OF = {end: name for name, ends in ENDS.items() for end in ends}
_RUN_EVENTS: dict[type[Any], str] = {
    RunQueued: "RunsQueued",
    RunRejected: "RunsRejected",
    RunCompleted: "RunsCompleted",
    RunIncomplete: "RunsIncomplete",
    RunFailed: "RunsFailed",
    RunCancelled: "RunsCancelled",
    ApprovalRequested: "GatesOpened",
}


def count(news: Sequence[Envelope], state: Callable[[], RunState]) -> None:
    """Count the events of a run's stream; `state` is the run with them, asked for when needed."""
    for data in (event.data for e in news if (event := recorded(e)) is not None):
        if isinstance(data, AttemptFinished):
            run = state()
            tried = run.units[data.unit].try_of(data.attempt)
            _count_attempt(run, tried.dispatched, data)
        elif isinstance(data, BudgetExhausted):
            _write({"BudgetRefusals": max(len(data.units), 1)})
        elif type(data) in _RUN_EVENTS:
            _write({_RUN_EVENTS[type(data)]: 1})


def gauge_slots(taken: int, expired: int, waiting: int) -> None:
    """Slots that are taken, those that nobody gave back in time, and runs that wait for one."""
    _write({"SlotsTaken": taken, "SlotsExpired": expired, "RunsWaiting": waiting})


@contextmanager
def gauged(supervision: Supervision) -> Generator[None]:
    """The slots after what is done inside.

    A slot that is given back only there was missed by what should have: it had expired.
    """
    before = {(slot.run, slot.execution) for slot in supervision.slots.taken()}
    try:
        yield
    finally:
        after = {(slot.run, slot.execution) for slot in supervision.slots.taken()}
        waiting = len(supervision.artifacts.list(QUEUE))
        gauge_slots(len(after), len(before - after), waiting)


def _count_attempt(run: RunState, dispatched: AttemptDispatched, ended: AttemptFinished) -> None:
    took, usage = ended.metrics, ended.metrics.usage
    told = {
        "run_id": run.run_id,
        "attempt": ended.attempt,
        "outcome": ended.outcome.value,
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.usage.input_tokens": usage.context,
        "gen_ai.usage.output_tokens": usage.output,
    }
    values = {
        "Attempts": 1,
        _END_OF[ended.outcome]: 1,
        "Dollars": ended.cost / MICRO,
        "InputTokens": usage.input,
        "OutputTokens": usage.output,
        "CacheReadTokens": usage.cache_read,
        "CacheWriteTokens": usage.cache_write_5m + usage.cache_write_1h,
        "LoopsNudged": took.nudges,
        "LoopsStopped": int(ended.outcome is Exit.STUCK),
        "ModelRetries": took.retries,
    }
    _write(values, told, agent=dispatched.role)
    _write({"ModelRetries": took.retries}, told)


def _write(
    values: Mapping[str, float], told: Mapping[str, Any] | None = None, *, agent: str = ""
) -> None:
    seen = {name: value for name, value in values.items() if value}
    if not seen:
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    if agent:
        metrics.add_dimension("agent", agent)
    for name, value in seen.items():
        unit = MetricUnit.NoUnit if name == "Dollars" else MetricUnit.Count
        metrics.add_metric(name, unit, value)
    for name, value in (told or {}).items():
        metrics.add_metadata(name, value)
    metrics.flush_metrics()
