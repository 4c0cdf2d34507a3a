"""What the handlers count, as metrics in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from fanfold.run.attempt import Exit

if TYPE_CHECKING:
    from fanfold.run.events import AttemptFinished

NAMESPACE = "fanfold"
DONE = frozenset({Exit.SUBMITTED, Exit.PICKED})


def count_attempt(role: str, ended: AttemptFinished) -> None:
    """One attempt by role: how it ended, whether it went in circles, what it cost in dollars."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, service="fanfold")
    metrics.add_dimension("agent", role)
    metrics.add_metric("Attempts", MetricUnit.Count, 1)
    metrics.add_metric("AttemptsWithoutResult", MetricUnit.Count, ended.outcome not in DONE)
    metrics.add_metric("Loops", MetricUnit.Count, ended.outcome is Exit.STUCK)
    metrics.add_metric("Dollars", MetricUnit.NoUnit, ended.cost / 1_000_000)
    metrics.add_metadata("outcome", ended.outcome.value)
    metrics.add_metadata("attempt", ended.attempt)
    metrics.flush_metrics()
