"""What holds of everything that is deployed, whichever stack it is in: the largest deployment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit.assembly import HERE, Assembly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTEXT = {
    "profile": "full",
    "provider": "anthropic",
    "egress": '["api.anthropic.com", "pypi.org"]',
}
UNTAGGABLE = {
    *("AWS::Budgets::Budget", "AWS::CE::AnomalyMonitor", "AWS::CE::AnomalySubscription"),
    *("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::EC2::Route"),
    *("AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress"),
    *("AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPCEndpoint"),
    *("AWS::EC2::VPCGatewayAttachment", "AWS::ECS::ClusterCapacityProviderAssociations"),
    *("AWS::Events::Rule", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::KMS::Alias"),
    *("AWS::Lambda::Alias", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"),
    *("AWS::Lambda::Version", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"),
    *("AWS::SQS::QueuePolicy", "AWS::SecretsManager::RotationSchedule"),
    "AWS::SNS::Subscription",
}
METRICS = {
    "AWS/SQS": (
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
        {"QueueName"},
    ),
    "AWS/DynamoDB": ({"ReadThrottleEvents", "WriteThrottleEvents"}, {"TableName"}),
    "AWS/States": (
        {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionThrottled"},
        {"StateMachineArn"},
    ),
    "AWS/Lambda": ({"Errors", "Duration", "IteratorAge"}, {"FunctionName"}),
}
"""As their services' guides spell them, with what they are told apart by."""


@pytest.fixture(scope="module")
def folder(once: Callable[..., Path]) -> Path:
    return once("full-anthropic", **CONTEXT)


@pytest.fixture(scope="module")
def account(folder: Path) -> Assembly:
    return Assembly(folder)


def resources(account: Assembly) -> list[dict[str, Any]]:
    return [r for t in account.templates.values() for r in t["Resources"].values()]


def tags_of(resource: dict[str, Any]) -> dict[str, str]:
    """Some types take a list, some a map."""
    tags: Any = resource["Properties"].get("Tags", {})
    return {t["Key"]: t["Value"] for t in tags} if isinstance(tags, list) else tags  # pyright: ignore[reportUnknownVariableType]


def test_everything_runs_on_arm(account: Assembly, folder: Path) -> None:
    functions = account.of_type("AWS::Lambda::Function").values()
    assert {tuple(f["Architectures"]) for f in functions} == {("arm64",)}
    tasks = account.of_type("AWS::ECS::TaskDefinition").values()
    assert {t["RuntimePlatform"]["CpuArchitecture"] for t in tasks} == {"ARM64"}
    images = [
        image["source"]["platform"]
        for file in folder.glob("*.assets.json")
        for image in json.loads(file.read_text()).get("dockerImages", {}).values()
    ]
    assert len(images) >= 3
    assert set(images) == {"linux/arm64"}


def test_everything_that_carries_tags_says_whose_it_is(account: Assembly) -> None:
    own = {"project": "fanfold", "stage": "dev", "profile": "full"}
    for resource in resources(account):
        if resource["Type"] not in UNTAGGABLE:
            assert own.items() <= tags_of(resource).items(), resource["Type"]


def test_what_works_is_traced_and_the_check_is_not(account: Assembly) -> None:
    functions = account.of_type("AWS::Lambda::Function").values()
    untraced = {
        f["FunctionName"] for f in functions if f.get("TracingConfig") != {"Mode": "Active"}
    }
    assert untraced == {"fanfold-dev-check"}
    machines = account.of_type("AWS::StepFunctions::StateMachine").values()
    assert [m["TracingConfiguration"] for m in machines] == [{"Enabled": True}]


def test_every_alarm_watches_what_its_service_counts(account: Assembly) -> None:
    """A misspelt metric has no data, and so never an alarm."""
    alarms = account.of_type("AWS::CloudWatch::Alarm").values()
    seen: set[str] = set()
    for alarm in alarms:
        if alarm["Namespace"] == "fanfold" or alarm["AlarmName"].endswith("functions-throttled"):
            continue
        names, dimensions = METRICS[alarm["Namespace"]]
        assert alarm["MetricName"] in names
        assert {d["Name"] for d in alarm["Dimensions"]} == dimensions
        seen.add(alarm["Namespace"])
    assert seen == METRICS.keys()
    (throttled,) = (a for a in alarms if a["AlarmName"].endswith("functions-throttled"))
    assert (throttled["Namespace"], throttled["MetricName"]) == ("AWS/Lambda", "Throttles")
    assert "Dimensions" not in throttled


def test_the_dashboard_has_a_graph_of_each_thing_that_is_asked(account: Assembly) -> None:
    ((_, dashboard),) = account.of_type("AWS::CloudWatch::Dashboard").items()
    body: dict[str, Any] = json.loads(dashboard["DashboardBody"])
    titles = {widget["properties"]["title"] for widget in body["widgets"]}
    asked = {"Runs", "Ends of runs", "Attempts", "Ends of attempts", "Dollars", "Tokens"}
    assert titles >= asked | {"Loops: told, stopped", "Requests", "Slots", "Errors", "Throttles"}
    graphs = [w for w in body["widgets"] if w["type"] == "metric"]
    assert all(graph["properties"]["metrics"] for graph in graphs)


def test_the_budget_and_what_is_unusual_reach_the_topic_of_the_alarms(account: Assembly) -> None:
    ((_, budget),) = account.of_type("AWS::Budgets::Budget").items()
    told = [s for n in budget["NotificationsWithSubscribers"] for s in n["Subscribers"]]
    topic = f"arn:aws:sns:{HERE}:fanfold-dev-alarms"
    assert {(s["SubscriptionType"], s["Address"]) for s in told} == {("SNS", topic)}
    alarms = account.of_type("AWS::CloudWatch::Alarm").values()
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(topic,)}
