"""Log groups that forget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import Construct

    from infra.settings import CloudSettings

RETENTION = {
    7: "ONE_WEEK",
    14: "TWO_WEEKS",
    30: "ONE_MONTH",
    60: "TWO_MONTHS",
    90: "THREE_MONTHS",
    180: "SIX_MONTHS",
    365: "ONE_YEAR",
}


def own_log(
    scope: Construct, construct_id: str, *, name: str, settings: CloudSettings
) -> logs.LogGroup:
    """The log `name`, kept for `log_days`; it goes with the deployment."""
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=logs.RetentionDays[RETENTION[settings.log_days]],
        removal_policy=RemovalPolicy.DESTROY,
    )
