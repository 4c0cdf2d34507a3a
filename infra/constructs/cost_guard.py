"""The month's budget and what is unusual in it; a run's own cap is enforced elsewhere, at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_ce as ce
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.settings import CloudSettings

WARN_PERCENT = (50, 80, 100)
UNUSUAL_USD = 10


class CostGuard(Construct):
    """Alerts about the deployment's own cost, told apart by its tags `project` and `agent`.

    The tags must be activated for billing once in the account.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        agents: Sequence[str],
        topic_arn: str,
    ) -> None:
        """`agents` are the kinds whose tag `agent` is watched one by one."""
        super().__init__(scope, construct_id)
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=settings.name("monthly"),
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(
                    amount=settings.monthly_usd, unit="USD"
                ),
                cost_filters={"TagKeyValue": [f"user:project${settings.project}"]},
            ),
            notifications_with_subscribers=[
                *(_notification("ACTUAL", percent, topic_arn) for percent in WARN_PERCENT),
                _notification("FORECASTED", 100, topic_arn),
            ],
        )
        own = {"Tags": {"Key": "project", "Values": [settings.project]}}
        monitors = [self._monitor("Anomalies", settings.name("cost"), own)]
        for agent in agents:
            its = {"Tags": {"Key": "agent", "Values": [agent]}}
            name = settings.name(f"cost-{agent}")
            monitors.append(self._monitor(f"{agent.title()}Anomalies", name, {"And": [own, its]}))
        ce.CfnAnomalySubscription(
            self,
            "AnomalyAlerts",
            subscription_name=settings.name("cost"),
            frequency="IMMEDIATE",
            monitor_arn_list=[monitor.attr_monitor_arn for monitor in monitors],
            subscribers=[
                ce.CfnAnomalySubscription.SubscriberProperty(address=topic_arn, type="SNS")
            ],
            threshold_expression=json.dumps(
                {
                    "Dimensions": {
                        "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                        "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
                        "Values": [str(UNUSUAL_USD)],
                    }
                }
            ),
        )

    def _monitor(
        self, construct_id: str, name: str, specification: Mapping[str, Any]
    ) -> ce.CfnAnomalyMonitor:
        return ce.CfnAnomalyMonitor(
            self,
            construct_id,
            monitor_name=name,
            monitor_type="CUSTOM",
            monitor_specification=json.dumps(specification),
        )


def _notification(
    kind: str, percent: int, topic_arn: str
) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
    return budgets.CfnBudget.NotificationWithSubscribersProperty(
        notification=budgets.CfnBudget.NotificationProperty(
            comparison_operator="GREATER_THAN",
            notification_type=kind,
            threshold=percent,
            threshold_type="PERCENTAGE",
        ),
        subscribers=[
            budgets.CfnBudget.SubscriberProperty(address=topic_arn, subscription_type="SNS")
        ],
    )
