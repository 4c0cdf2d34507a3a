"""What tells people of trouble and of cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.kit.templates import properties

if TYPE_CHECKING:
    from tests.kit.templates import Template

TABLES = ("events", "coordination")


def test_alarms_speak_to_the_topic_and_say_what_to_do(watch_template: Template) -> None:
    alarms = properties(watch_template, "AWS::CloudWatch::Alarm")
    assert all(len(alarm["AlarmActions"]) == 1 for alarm in alarms)
    assert all(alarm["AlarmDescription"] for alarm in alarms)
    assert {alarm["TreatMissingData"] for alarm in alarms} == {"notBreaching"}


def test_what_needs_a_person_raises_an_alarm(watch_template: Template) -> None:
    alarms = properties(watch_template, "AWS::CloudWatch::Alarm")
    names = {alarm["AlarmName"].removeprefix("fanfold-dev-") for alarm in alarms}
    runs = {"runs-failed", "runs-timed-out", "runs-throttled"}
    queues = {"requests-dead", "triggers-dead", "requests-old"}
    tables = {f"{t}-{kind}s-throttled" for t in TABLES for kind in ("read", "write")}
    counts = {"slots-expired", "budget-refused", "model-retried"}
    functions = {"decide-errors", "decide-slow", "decide-throttled", "project-behind"}
    assert names >= runs | queues | tables | counts | functions


def test_the_budget_warns_before_and_at_its_end(watch_template: Template) -> None:
    (budget,) = properties(watch_template, "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 100, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:project$fanfold"]}
    warnings = [n["Notification"] for n in budget["NotificationsWithSubscribers"]]
    actual = [w["Threshold"] for w in warnings if w["NotificationType"] == "ACTUAL"]
    assert actual == [50, 80, 100]
    assert [w["NotificationType"] for w in warnings].count("FORECASTED") == 1


def test_anomalies_are_looked_for_by_tag(watch_template: Template) -> None:
    (monitor,) = properties(watch_template, "AWS::CE::AnomalyMonitor")
    specification = json.loads(monitor["MonitorSpecification"])
    assert specification == {"Tags": {"Key": "project", "Values": ["fanfold"]}}
