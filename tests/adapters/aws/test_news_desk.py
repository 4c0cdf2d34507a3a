"""News on the bus, as a rule of the user's own hands them on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.adapters.aws.event_bus import EventBus
from fanfold.adapters.aws.news_desk import BusNewsDesk
from fanfold.adapters.aws.table import Table
from fanfold.errors import CloudUnavailable
from tests.kit.account import PROJECTIONS
from tests.kit.faults import THROTTLED, faults

if TYPE_CHECKING:
    from fanfold.adapters.aws.clients import Clients

BUS = "fanfold-dev"


@pytest.fixture
def desk(clients: Clients) -> BusNewsDesk:
    clients.events.create_event_bus(Name=BUS)
    return BusNewsDesk(EventBus(clients.events, BUS), Table(clients.dynamodb, PROJECTIONS), "demo")


def heard(clients: Clients, queue: str) -> list[dict[str, Any]]:
    answer = clients.queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [json.loads(message.get("Body", "")) for message in answer.get("Messages", ())]


def test_news_reach_who_listens(desk: BusNewsDesk, clients: Clients) -> None:
    queue = clients.queues.create_queue(QueueName="news")["QueueUrl"]
    pattern = json.dumps({"source": ["fanfold"], "detail-type": [{"prefix": "fanfold.run."}]})
    clients.events.put_rule(Name="news", EventBusName=BUS, EventPattern=pattern)
    arn = "arn:aws:sqs:us-east-1:123456789012:news"
    clients.events.put_targets(Rule="news", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
    desk.tell("fanfold.run.completed", {"id": "r/9", "run": "r"})
    (event,) = heard(clients, queue)
    assert event["detail-type"] == "fanfold.run.completed"
    assert event["detail"] == {"project": "demo", "id": "r/9", "run": "r"}


def test_what_was_told_is_kept_and_never_goes_back(desk: BusNewsDesk) -> None:
    assert desk.told("r") == 0
    for version in (3, 9, 4):
        desk.note("r", version)
    assert (desk.told("r"), desk.told("other")) == (9, 0)


def test_a_bus_that_refuses_is_an_error(desk: BusNewsDesk) -> None:
    with faults() as injected:
        injected.refuse("PutEvents", THROTTLED, 10)
        with pytest.raises(CloudUnavailable):
            desk.tell("fanfold.run.completed", {"id": "r/9"})
