"""Appends under lost requests, lost answers, throttling and rivals: nothing twice, nothing lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.aws.clients import ATTEMPTS
from fanfold.adapters.aws.event_store import DynamoEventStore
from fanfold.adapters.aws.table import Table
from fanfold.errors import CloudError, CloudUnavailable, StreamConflict
from fanfold.run.events import EventData, RunQueued, run_stream
from tests.fakes.memory import ManualClock
from tests.kit.account import BUCKET, EVENTS, account
from tests.kit.faults import THROTTLED, Faults, faults

if TYPE_CHECKING:
    from collections.abc import Generator

    from fanfold.adapters.aws.clients import Clients

RUN = run_stream("r1")
PUT = "PutItem"


def opened(clients: Clients) -> DynamoEventStore:
    artifacts = S3ArtifactStore(clients.s3, BUCKET)
    return DynamoEventStore(Table(clients.dynamodb, EVENTS), "demo", ManualClock(), artifacts)


def queued(*reasons: str) -> list[EventData]:
    return [RunQueued(reason=reason) for reason in reasons]


def reasons(store: DynamoEventStore, after: int = 0) -> str:
    return "".join(e.data["reason"] for e in store.read(RUN, after))


@pytest.fixture
def injected() -> Generator[Faults]:
    with faults() as planned:
        yield planned


@pytest.fixture
def store(clients: Clients) -> DynamoEventStore:
    return opened(clients)


@pytest.mark.parametrize("times", [1, ATTEMPTS])
def test_an_append_whose_answer_is_lost_succeeds_once(
    store: DynamoEventStore, injected: Faults, times: int
) -> None:
    injected.lose_answer(PUT, times)
    appended = store.append(RUN, 0, queued("a", "b"))
    assert store.read(RUN) == appended
    assert len(appended) == 2


def test_an_append_that_got_through_before_a_throttle_succeeds(
    store: DynamoEventStore, injected: Faults
) -> None:
    injected.lose_answer(PUT)
    injected.refuse(PUT, THROTTLED, ATTEMPTS)
    assert store.append(RUN, 0, queued("a")) == store.read(RUN)


def test_a_throttle_that_passes_is_not_noticed(store: DynamoEventStore, injected: Faults) -> None:
    injected.refuse(PUT, THROTTLED, ATTEMPTS - 1)
    injected.refuse("Query", THROTTLED, ATTEMPTS - 2)
    injected.refuse("Query", "InternalServerError", 1, status=500)
    store.append(RUN, 0, queued("a"))
    assert reasons(store) == "a"


def test_a_throttle_that_stays_is_one_clear_line(store: DynamoEventStore, injected: Faults) -> None:
    injected.refuse(PUT, THROTTLED, ATTEMPTS)
    with pytest.raises(CloudUnavailable) as refused:
        store.append(RUN, 0, queued("a"))
    assert str(refused.value) == (
        f"cannot write to table {EVENTS!r}: refused by the test ({THROTTLED})"
    )
    assert refused.value.code == THROTTLED
    assert reasons(store) == ""


def test_a_refusal_is_not_tried_again(store: DynamoEventStore, injected: Faults) -> None:
    injected.refuse(PUT, "AccessDeniedException")
    with pytest.raises(CloudError) as refused:
        store.append(RUN, 0, queued("a"))
    assert not isinstance(refused.value, CloudUnavailable)
    assert store.append(RUN, 0, queued("b"))[0].version == 1


def test_an_unreachable_service_leaves_the_stream_as_it_was(
    store: DynamoEventStore, injected: Faults
) -> None:
    store.append(RUN, 0, queued("a"))
    injected.lose_request(PUT, ATTEMPTS)
    with pytest.raises(CloudUnavailable):
        store.append(RUN, 1, queued("b", "c"))
    assert reasons(store) == "a"
    assert store.append(RUN, 1, queued("d"))[0].version == 2


def test_a_service_that_stays_silent_is_an_error_of_the_append(
    store: DynamoEventStore, injected: Faults
) -> None:
    injected.lose_request(PUT, ATTEMPTS)
    injected.lose_request("GetItem", ATTEMPTS)
    with pytest.raises(CloudUnavailable, match="write to"):
        store.append(RUN, 0, queued("a"))


def test_an_append_that_arrives_late_is_whole_and_makes_the_next_conflict(
    store: DynamoEventStore, injected: Faults
) -> None:
    injected.lose_request(PUT, ATTEMPTS)
    with pytest.raises(CloudUnavailable):
        store.append(RUN, 0, queued("a", "b"))
    injected.before(PUT, injected.arrive_late)
    with pytest.raises(StreamConflict) as conflict:
        store.append(RUN, 0, queued("x"))
    assert conflict.value.actual == 2
    assert reasons(store) == "ab"


def test_a_late_request_behind_another_append_changes_nothing(
    store: DynamoEventStore, injected: Faults
) -> None:
    injected.lose_request(PUT, ATTEMPTS)
    with pytest.raises(CloudUnavailable):
        store.append(RUN, 0, queued("a", "b"))
    store.append(RUN, 0, queued("x"))
    injected.arrive_late()
    assert reasons(store) == "x"


def test_a_rival_between_looking_and_writing_wins(clients: Clients, injected: Faults) -> None:
    store, rival = opened(clients), opened(clients)
    injected.before(PUT, lambda: rival.append(RUN, 0, queued("r", "s")))
    with pytest.raises(StreamConflict) as conflict:
        store.append(RUN, 0, queued("a", "b", "c"))
    assert (conflict.value.expected, conflict.value.actual) == (0, 2)
    assert reasons(store) == "rs"


def test_a_stale_view_never_lands_in_the_middle_of_an_append(clients: Clients) -> None:
    stale, other = opened(clients), opened(clients)
    stale.append(RUN, 0, queued("a"))
    other.append(RUN, 1, queued("b", "c", "d"))
    for expected in (1, 2, 3):
        with pytest.raises(StreamConflict):
            stale.append(RUN, expected, queued("x"))
    assert reasons(stale) == "abcd"


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_whatever_fails_every_append_is_there_once_or_not_at_all(data: st.DataObject) -> None:
    kinds = st.sampled_from(["fine", "fine", "answer", "request", "throttle", "down"])
    with account() as clients, faults() as injected:
        stores = [opened(clients), opened(clients)]
        said: dict[str, bool] = {}
        for step in range(8):
            store = stores[data.draw(st.integers(0, 1))]
            version = len(store.read(RUN))
            _plan(injected, data.draw(kinds))
            name = chr(ord("a") + step)
            said[name] = _try(store, version, name)
            injected.forget()
            if data.draw(st.booleans()):
                injected.arrive_late()
        log = reasons(opened(clients))
        versions = [e.version for e in stores[0].read(RUN)]
    assert versions == list(range(1, len(log) + 1))
    for name, acknowledged in said.items():
        assert log.count(name) == log.count(name * 3) * 3
        assert log.count(name) == 3 if acknowledged else log.count(name) in (0, 3)


def _plan(injected: Faults, kind: str) -> None:
    if kind == "answer":
        injected.lose_answer(PUT, 2)
    elif kind == "request":
        injected.lose_request(PUT, 2)
    elif kind == "throttle":
        injected.refuse(PUT, THROTTLED, 2)
    elif kind == "down":
        injected.lose_answer(PUT)
        injected.lose_request(PUT, ATTEMPTS)
        injected.lose_request("GetItem", ATTEMPTS)


def _try(store: DynamoEventStore, version: int, name: str) -> bool:
    try:
        store.append(RUN, version, queued(*name * 3))
    except (CloudUnavailable, StreamConflict):
        return False
    return True
