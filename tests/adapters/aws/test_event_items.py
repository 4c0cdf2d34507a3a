"""How streams lie in the table: one item an append, whatever its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.aws.event_store import DynamoEventStore
from fanfold.adapters.aws.table import Table
from fanfold.errors import ArtifactCorrupt, FanfoldError
from fanfold.run.events import EventData, RunQueued, attempt_stream, run_stream
from tests.fakes.memory import ManualClock
from tests.kit.account import BUCKET, EVENTS
from tests.kit.faults import faults

if TYPE_CHECKING:
    from fanfold.adapters.aws.clients import Clients

RUN = run_stream("r1")


def opened(clients: Clients, project: str = "demo") -> DynamoEventStore:
    artifacts = S3ArtifactStore(clients.s3, BUCKET)
    return DynamoEventStore(Table(clients.dynamodb, EVENTS), project, ManualClock(), artifacts)


def queued(*reasons: str) -> list[EventData]:
    return [RunQueued(reason=reason) for reason in reasons]


def item_count(clients: Clients) -> int:
    return clients.dynamodb.scan(TableName=EVENTS, Select="COUNT")["Count"]


def test_an_append_is_one_item(clients: Clients) -> None:
    opened(clients).append(RUN, 0, queued(*"abc"))
    assert item_count(clients) == 1


def test_an_append_too_large_for_an_item_is_one_all_the_same(clients: Clients) -> None:
    store, artifacts = opened(clients), S3ArtifactStore(clients.s3, BUCKET)
    appended = store.append(RUN, 0, queued(*[f"{n:02} {'x' * 50_000}" for n in range(40)]))
    assert item_count(clients) == 1
    assert opened(clients).read(RUN) == appended
    assert opened(clients).read(RUN, 30) == appended[30:]
    (key,) = artifacts.list("runs/r1/events")
    assert artifacts.list("") == [key]
    artifacts.put(key, b"[]")
    with pytest.raises(ArtifactCorrupt):
        opened(clients).read(RUN)


def test_a_long_stream_is_read_over_many_pages(clients: Clients) -> None:
    store = opened(clients)
    for at in range(0, 24, 4):
        store.append(RUN, at, queued(*[f"{at + n} {'x' * 60_000}" for n in range(4)]))
    assert [e.version for e in opened(clients).read(RUN)] == list(range(1, 25))
    assert [e.version for e in opened(clients).read(RUN, 6)] == list(range(7, 25))


def test_reading_may_begin_inside_an_append(clients: Clients) -> None:
    writer = opened(clients)
    writer.append(RUN, 0, queued(*"abc"))
    writer.append(RUN, 3, queued(*"defg"))
    for after in range(9):
        for store in (opened(clients), writer):
            got = "".join(e.data["reason"] for e in store.read(RUN, after))
            assert got == "abcdefg"[after:]


def test_following_a_stream_costs_one_request(clients: Clients) -> None:
    store = opened(clients)
    store.append(RUN, 0, queued(*"abc"))
    with faults() as injected:
        assert store.read(RUN, 3) == []
        store.append(RUN, 3, queued("d"))
    assert injected.sent == ["Query", "PutItem"]


def test_projects_share_a_table_and_list_their_own_streams(clients: Clients) -> None:
    opened(clients, "one").append("run/a", 0, queued("x"))
    opened(clients, "two").append("run/b", 0, queued("x"))
    assert opened(clients, "one").streams() == ["run/a"]
    assert len(opened(clients, "one").read("run/b")) == 1


def test_very_many_streams_are_listed(clients: Clients) -> None:
    store = opened(clients)
    names = [attempt_stream("r1", f"{n}.1") + "x" * 900 for n in range(300)]
    for name in names:
        store.append(name, 0, queued("x"))
    assert len(store.streams("run/r1/attempt/")) == 300


def test_a_missing_event_is_an_error(clients: Clients) -> None:
    store = opened(clients)
    store.append(RUN, 0, queued("a"))
    store.append(RUN, 1, queued("b"))
    key = {"stream": {"S": RUN}, "version": {"S": f"{1:012}"}}
    clients.dynamodb.delete_item(TableName=EVENTS, Key=key)
    with pytest.raises(FanfoldError, match=r"'run/r1'.* lacks version 1"):
        opened(clients).read(RUN)


@pytest.mark.parametrize("content", ["", "{}", "[{}]", "[", '[{"version": 1}]'])
def test_an_item_that_is_no_append_is_an_error(clients: Clients, content: str) -> None:
    item = {"stream": {"S": RUN}, "version": {"S": f"{1:012}"}, "events": {"S": content}}
    clients.dynamodb.put_item(TableName=EVENTS, Item=item)
    with pytest.raises(FanfoldError, match="is no events"):
        opened(clients).read(RUN)
