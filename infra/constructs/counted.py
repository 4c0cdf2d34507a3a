"""The metrics that the functions write themselves, by the names of `functions/metrics.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_cloudwatch as cloudwatch

if TYPE_CHECKING:
    from aws_cdk import Duration

NAMESPACE = SERVICE = "fanfold"


def counted(
    name: str,
    *,
    agent: str = "",
    label: str = "",
    statistic: str = "Sum",
    period: Duration | None = None,
) -> cloudwatch.Metric:
    """The metric `name` of one kind of agent, or of the whole deployment."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": SERVICE, **({"agent": agent} if agent else {})},
        label=label or None,
        statistic=statistic,
        period=period,
    )
