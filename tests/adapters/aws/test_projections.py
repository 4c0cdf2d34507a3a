"""Views of the streams: idempotent, in one order, and made anew whenever they are lost."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.aws.clients import ATTEMPTS
from fanfold.adapters.aws.projections import TRIES, Projections
from fanfold.adapters.aws.table import Table
from fanfold.errors import CloudUnavailable, FanfoldError
from fanfold.run.events import (
    EventData,
    RunFailed,
    RunQueued,
    RunRejected,
    RunRequested,
    attempt_stream,
)
from tests.fakes.memory import ManualClock, MemoryEventStore
from tests.kit.account import PROJECTIONS
from tests.kit.faults import faults

if TYPE_CHECKING:
    from fanfold.adapters.aws.clients import Clients


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def events(clock: ManualClock) -> MemoryEventStore:
    return MemoryEventStore(clock, "demo")


@pytest.fixture
def views(clients: Clients, events: MemoryEventStore) -> Projections:
    return Projections(Table(clients.dynamodb, PROJECTIONS), "demo", events)


def requested(run: str) -> EventData:
    return RunRequested(run_id=run, plan="plan.md", plan_sha256="0", base="c")


def queued(*reasons: str) -> list[EventData]:
    return [RunQueued(reason=reason) for reason in reasons]


def reasons(views: Projections, limit: int = 2) -> list[str]:
    """All of the feed, page by page."""
    found: list[str] = []
    page = views.page(limit=limit)
    while page.envelopes:
        found += [e.data["reason"] for e in page.envelopes]
        page = views.page(page.cursor, limit)
    return found


def test_a_run_is_listed_as_it_stands(
    views: Projections, events: MemoryEventStore, clock: ManualClock
) -> None:
    events.append("run/b", 0, [requested("b")])
    clock.advance(1)
    events.append("run/a", 0, [requested("a"), RunFailed(reason="x")])
    for stream in ("run/a", "run/b"):
        views.project(stream)
    assert [(r.run, r.standing, r.version) for r in views.runs()] == [
        ("b", "queued", 1),
        ("a", "failed", 2),
    ]
    assert views.runs()[0].plan == "plan.md"


def test_a_rejected_run_is_not_queued(views: Projections, events: MemoryEventStore) -> None:
    events.append("run/a", 0, [requested("a"), RunRejected(reason="no snapshot")])
    views.project("run/a")
    assert views.runs()[0].standing == "failed"


def test_an_older_fold_never_replaces_a_newer_one(
    clients: Clients, views: Projections, events: MemoryEventStore
) -> None:
    events.append("run/a", 0, [requested("a")])
    old = MemoryEventStore(ManualClock(), "demo")
    old.append("run/a", 0, [requested("a")])
    events.append("run/a", 1, [RunFailed(reason="x")])
    views.project("run/a")
    Projections(Table(clients.dynamodb, PROJECTIONS), "demo", old).project("run/a")
    assert [(r.standing, r.version) for r in views.runs()] == [("failed", 2)]


def test_word_that_comes_twice_late_or_never_changes_nothing(
    views: Projections, events: MemoryEventStore
) -> None:
    events.append("run/a", 0, queued("1"))
    views.project("run/a")
    events.append("run/a", 1, queued("2", "3"))
    events.append("run/a", 3, queued("4"))
    for _ in range(3):
        views.project("run/a")
    assert reasons(views) == ["1", "2", "3", "4"]


def test_every_stream_is_in_the_feed_in_its_own_order(
    views: Projections, events: MemoryEventStore
) -> None:
    streams = ["run/a", "run/b", attempt_stream("a", "1.1"), "batch/x"]
    order = random.Random(7)
    for step in range(24):
        stream = order.choice(streams)
        events.append(stream, len(events.read(stream)), queued(f"{stream} {step:02}"))
        views.project(order.choice(streams))
    for stream in streams:
        views.project(stream)
    found = reasons(views, limit=5)
    assert len(found) == len(set(found)) == 24
    for stream in streams:
        own = [r for r in found if r.startswith(f"{stream} ")]
        assert own == sorted(own)


def test_what_was_read_once_stays_where_it_was(
    views: Projections, events: MemoryEventStore
) -> None:
    events.append("run/a", 0, queued("1"))
    views.project("run/a")
    first = views.page()
    assert views.page(first.cursor).envelopes == []
    events.append("run/b", 0, queued("earlier, but told later"))
    events.append("run/a", 1, queued("2"))
    views.project("run/a")
    views.project("run/b")
    later = views.page(first.cursor).envelopes
    assert [e.data["reason"] for e in later] == ["2", "earlier, but told later"]


def test_many_projectors_at_once_number_every_event_once(
    views: Projections, events: MemoryEventStore
) -> None:
    for number in range(12):
        events.append(f"run/{number}", 0, queued(str(number)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(views.project, [f"run/{n % 12}" for n in range(24)]))
    assert sorted(reasons(views), key=int) == [str(n) for n in range(12)]


@pytest.mark.parametrize("times", [1, ATTEMPTS])
def test_a_lost_answer_numbers_nothing_twice(
    views: Projections, events: MemoryEventStore, times: int
) -> None:
    events.append("run/a", 0, queued("1"))
    with faults() as injected:
        injected.lose_answer("TransactWriteItems", times)
        if times == ATTEMPTS:
            with pytest.raises(CloudUnavailable):
                views.project("run/a")
    views.project("run/a")
    assert reasons(views) == ["1"]


def test_a_writer_in_the_way_is_waited_out(views: Projections, events: MemoryEventStore) -> None:
    events.append("run/a", 0, queued("1"))
    with faults() as injected:
        injected.cancel("None", "TransactionConflict", "None", times=3)
        views.project("run/a")
    assert reasons(views) == ["1"]


def test_a_throttled_transaction_says_so(views: Projections, events: MemoryEventStore) -> None:
    events.append("run/a", 0, queued("1"))
    with faults() as injected:
        injected.cancel("ThrottlingError", "None", "None", times=ATTEMPTS)
        with pytest.raises(CloudUnavailable, match="write to table"):
            views.project("run/a")


def test_writers_that_stay_in_the_way_are_an_error(
    views: Projections, events: MemoryEventStore
) -> None:
    events.append("run/a", 0, queued("1"))
    with faults() as injected:
        injected.cancel("TransactionConflict", times=TRIES)
        with pytest.raises(FanfoldError, match="too many writers"):
            views.project("run/a")


def test_views_that_were_dropped_are_made_anew(
    clients: Clients, views: Projections, events: MemoryEventStore
) -> None:
    events.append("run/a", 0, [requested("a")])
    events.append("run/b", 0, [requested("b")])
    views.rebuild()
    rows, page = views.runs(), views.page()
    for item in clients.dynamodb.scan(TableName=PROJECTIONS)["Items"]:
        key = {name: item[name] for name in ("view", "item")}
        clients.dynamodb.delete_item(TableName=PROJECTIONS, Key=key)
    assert views.runs() == []
    assert views.page(page.cursor).envelopes == []
    views.rebuild()
    assert views.runs() == rows
    assert views.page(page.cursor).envelopes == page.envelopes


def test_a_page_ends_where_an_entry_is_not_to_be_seen_yet(
    clients: Clients, views: Projections, events: MemoryEventStore
) -> None:
    for run in "123":
        events.append(f"run/{run}", 0, queued(run))
        views.project(f"run/{run}")
    key = {"view": {"S": "feed/demo"}, "item": {"S": f"{2:012}"}}
    hidden = clients.dynamodb.get_item(TableName=PROJECTIONS, Key=key).get("Item", {})
    clients.dynamodb.delete_item(TableName=PROJECTIONS, Key=key)
    page = views.page()
    assert [e.data["reason"] for e in page.envelopes] == ["1"]
    clients.dynamodb.put_item(TableName=PROJECTIONS, Item=hidden)
    assert [e.data["reason"] for e in views.page(page.cursor).envelopes] == ["2", "3"]


def test_projects_are_apart(clients: Clients, views: Projections, events: MemoryEventStore) -> None:
    events.append("run/a", 0, [requested("a")])
    views.project("run/a")
    other = Projections(Table(clients.dynamodb, PROJECTIONS), "other", events)
    assert other.runs() == []
    assert other.page().envelopes == []
