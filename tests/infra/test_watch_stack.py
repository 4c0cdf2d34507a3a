"""What tells people of trouble and of cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.bundle import ROOT
from infra.functions import roles
from tests.kit.templates import load, properties

if TYPE_CHECKING:
    from pathlib import Path

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
    functions = {"decide-errors", "decide-slow", "functions-throttled", "project-behind"}
    assert names >= runs | queues | tables | counts | functions


def test_the_budget_warns_before_and_at_its_end(watch_template: Template) -> None:
    (budget,) = properties(watch_template, "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 100, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:project$fanfold"]}
    warnings = [n["Notification"] for n in budget["NotificationsWithSubscribers"]]
    actual = [w["Threshold"] for w in warnings if w["NotificationType"] == "ACTUAL"]
    assert actual == [50, 80, 100]
    assert [w["NotificationType"] for w in warnings].count("FORECASTED") == 1


def test_anomalies_are_looked_for_by_tag_as_a_whole_and_by_agent(watch_template: Template) -> None:
    monitors = properties(watch_template, "AWS::CE::AnomalyMonitor")
    found = [json.loads(monitor["MonitorSpecification"]) for monitor in monitors]
    whole = {"Tags": {"Key": "project", "Values": ["fanfold"]}}
    agents = [{"Tags": {"Key": "agent", "Values": [role]}} for role in roles(ROOT)]
    assert found == [whole, *({"And": [whole, agent]} for agent in agents)]
    (alerts,) = properties(watch_template, "AWS::CE::AnomalySubscription")
    assert len(alerts["MonitorArnList"]) == len(monitors)


def test_what_works_for_an_agent_is_tagged_with_it(full_assembly: Path) -> None:
    control = load(full_assembly, "control")
    tagged = [
        {tag["Key"]: tag["Value"] for tag in each.get("Tags", [])}.get("agent")
        for kind in ("AWS::Lambda::Function", "AWS::ECS::TaskDefinition")
        for each in properties(control, kind)
    ]
    assert sorted(tag for tag in tagged if tag) == sorted([*(2 * roles(ROOT)), "builder"])
