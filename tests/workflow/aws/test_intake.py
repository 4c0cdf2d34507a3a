"""The way in and out of the cloud: messages that ask for runs, and events that tell of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.run.artifacts import run_file
from fanfold.run.events import run_stream
from fanfold.run.state import Outcome
from fanfold.steps.intake import PLAN_READY
from fanfold.steps.request import MANIFEST, PLAN, load_request, run_identity
from tests.kit.account import shared_clients
from tests.workflow.aws.cloud import BUS, deployed, drive
from tests.workflow.aws.scenarios import SCENARIOS
from tests.workflow.aws.site import RUN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from tests.workflow.aws.cloud import Deployed


LIGHT = replace(SCENARIOS["escalate"], agents=SCENARIOS["light roles"].agents, outgrow=frozenset())


def ready(deployment: Deployed, rerun: str = "again") -> tuple[str, str]:
    """The event that asks for the scenario's plan once more, and the name that its run will have.

    The plan itself is nowhere but in the snapshot.
    """
    request = load_request(deployment.site.artifacts, RUN)
    detail: dict[str, Any] = {**msgspec.to_builtins(request), "rerun": rerun}
    del detail["run_id"]
    name = run_identity(request.project, request.branch, request.base, request.plan_sha256, rerun)
    return name, json.dumps({"detail-type": PLAN_READY, "source": "ci", "detail": detail})


def receive(deployment: Deployed, messages: Sequence[str]) -> list[str]:
    """Hand a batch to `start`, and give the messages that come again."""
    records = [{"messageId": str(i), "body": body} for i, body in enumerate(messages)]
    answer = deployment.call("start", {"Records": records})
    return [messages[int(failed["itemIdentifier"])] for failed in answer["batchItemFailures"]]


def kinds(deployment: Deployed, run_id: str) -> list[str]:
    events = deployment.cloud.supervision.journal(run_id).store.read(run_stream(run_id))
    return [event.event_type for event in events]


def test_an_event_starts_a_run_whose_plan_is_in_the_snapshot(tmp_path: Path) -> None:
    with deployed(LIGHT, tmp_path) as deployment:
        name, event = ready(deployment)
        assert receive(deployment, [event, event]) == []
        assert deployment.settle(name) == "over"
        state = deployment.cloud.supervision.journal(name).refresh()
        assert state.outcome is Outcome.COMPLETED
        assert kinds(deployment, name).count("run_requested") == 1
        assert deployment.site.artifacts.exists(run_file(name, PLAN))
        assert deployment.cloud.supervision.slots.taken() == []


def test_poison_leaves_the_rest_of_its_batch_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with deployed(LIGHT, tmp_path) as deployment:
        _, event = ready(deployment)
        poison = ["{", event.replace('"base":', '"bass":')]
        assert receive(deployment, [poison[0], event, poison[1]]) == poison
        assert "refused: not an event" in caplog.text
        assert "unknown field 'bass'" in caplog.text


def test_one_run_of_a_plan_at_a_time_and_only_with_its_snapshot(tmp_path: Path) -> None:
    with deployed(SCENARIOS["gate"], tmp_path) as deployment:
        deployment.request()
        assert deployment.settle() == "waiting"
        name, event = ready(deployment)
        assert receive(deployment, [event]) == []
        assert kinds(deployment, name) == ["run_requested", "run_rejected"]
        reason = deployment.cloud.supervision.journal(name).refresh().rejected
        assert f"run {RUN} of the same plan is under way" in str(reason)

        deployment.site.artifacts.delete("snapshots")
        name, event = ready(deployment, "and again")
        assert receive(deployment, [event]) == []
        reason = deployment.cloud.supervision.journal(name).refresh().rejected
        assert "the snapshot of its base" in str(reason)


def test_a_manifest_is_not_written_over(tmp_path: Path) -> None:
    with deployed(LIGHT, tmp_path) as deployment:
        name, event = ready(deployment)
        receive(deployment, [event])
        manifest = deployment.site.artifacts.get(run_file(name, MANIFEST))
        receive(deployment, [event.replace('"cap": 5000000', '"cap": 9000000')])
        assert deployment.site.artifacts.get(run_file(name, MANIFEST)) == manifest
        deployment.settle(name)


def test_waiting_and_the_end_leave_on_the_bus(tmp_path: Path) -> None:
    clients = shared_clients()
    with deployed(SCENARIOS["gate"], tmp_path) as deployment:
        queue = clients.queues.create_queue(QueueName="news")["QueueUrl"]
        pattern = json.dumps({"source": ["fanfold"]})
        clients.events.put_rule(Name="news", EventBusName=BUS, EventPattern=pattern)
        target: Any = {"Id": "news", "Arn": "arn:aws:sqs:us-east-1:123456789012:news"}
        clients.events.put_targets(Rule="news", EventBusName=BUS, Targets=[target])
        drive(deployment)
        keys = {"stream": {"S": run_stream(RUN)}, "version": {"S": "1"}}
        record = {"eventID": "1", "dynamodb": {"Keys": keys}}
        for _ in range(3):
            deployment.call("project", {"Records": [record, record]})
        answer = clients.queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        told = [json.loads(message.get("Body", "")) for message in answer.get("Messages", ())]
        state = deployment.site.journal().state
        artifacts = told[-1]["detail"]["artifacts"]
        assert all(deployment.site.artifacts.exists(key) for key in artifacts.values())
    assert [event["detail-type"] for event in told] == [
        "fanfold.run.waiting",
        "fanfold.run.waiting",
        "fanfold.run.completed",
    ]
    assert len({event["detail"]["id"] for event in told}) == 3
    assert told[-1]["detail"]["run"] == RUN
    assert float(told[-1]["detail"]["cost_usd"]) == round(state.spent / 1_000_000, 6) > 0
