"""What tells people how runs go, what needs them, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam

from infra.constructs.alarms import Alarms
from infra.constructs.cost_guard import CostGuard
from infra.constructs.dashboard import Dashboard

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from constructs import Construct

    from infra.settings import CloudSettings
    from infra.stacks.control import ControlStack
    from infra.stacks.data import DataStack

SPEAKERS = (
    "cloudwatch.amazonaws.com",
    "budgets.amazonaws.com",
    "costalerts.amazonaws.com",
)


class WatchStack(Stack):
    """Alarms, the budget and the dashboard."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        data: DataStack,
        control: ControlStack,
    ) -> None:
        super().__init__(scope, construct_id, description="fanfold: alarms, budget and dashboard")
        self.alarms = Alarms(
            self, "Alarms", settings=settings, key=data.key, data=data, control=control
        )
        for speaker in SPEAKERS:
            own = iam.ServicePrincipal(
                speaker, conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            )
            principal = cast("iam.IGrantable", own)
            self.alarms.topic.grant_publish(principal)
            data.key.grant(principal, "kms:Decrypt", "kms:GenerateDataKey*")
        CostGuard(
            self,
            "CostGuard",
            settings=settings,
            agents=sorted(control.attempts),
            topic_arn=self.alarms.topic.topic_arn,
        )
        Dashboard(
            self,
            "Dashboard",
            settings=settings,
            data=data,
            control=control,
            alarms=[cast("cloudwatch.IAlarm", alarm) for alarm in self.alarms.all],
        )
