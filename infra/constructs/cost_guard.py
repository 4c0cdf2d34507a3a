"""The month's budget and what is unusual in it; a run's own cap is enforced elsewhere, at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_ce as ce
from constructs import Construct

if TYPE_CHECKING:
    from infra.settings import CloudSettings

WARN_PERCENT = (50, 80, 100)
UNUSUAL_USD = 10


class CostGuard(Construct):
    """Alerts about the deployment's own cost, told apart by its tag `project`.

    The tag must be activated for billing once in the account.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: CloudSettings, topic_arn: str
    ) -> None:
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
        monitor = ce.CfnAnomalyMonitor(
            self,
            "Anomalies",
            monitor_name=settings.name("cost"),
            monitor_type="CUSTOM",
            monitor_specification=json.dumps(
                {"Tags": {"Key": "project", "Values": [settings.project]}}
            ),
        )
        ce.CfnAnomalySubscription(
            self,
            "AnomalyAlerts",
            subscription_name=settings.name("cost"),
            frequency="IMMEDIATE",
            monitor_arn_list=[monitor.attr_monitor_arn],
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
