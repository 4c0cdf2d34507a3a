"""What every event store does."""

from __future__ import annotations

import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fanfold.errors import ArtifactMissing, FanfoldError, StreamConflict
from fanfold.run.attempt import Exit, Usage
from fanfold.run.events import (
    AttemptEnded,
    Envelope,
    EventData,
    ModelCalled,
    PlanWrittenBack,
    RunFailed,
    RunQueued,
    RunResumed,
    attempt_stream,
    payload,
    recorded,
    run_stream,
)
from tests.fakes.stores import BACKENDS, Stores

if TYPE_CHECKING:
    from collections.abc import Generator

    from fanfold.ports import EventStore

RUN = run_stream("r1")
ATTEMPT = attempt_stream("r1", "1.2.1")


@pytest.fixture(params=list(BACKENDS))
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Stores]:
    with BACKENDS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def store(stores: Stores) -> EventStore:
    return stores.events()


def payloads(stores: Stores) -> list[str]:
    """What was too large for the log: beside it, or in the folder of its run."""
    return [key for key in stores.artifacts().list("") if "events" in key.split("/")]


def queued(*reasons: str) -> list[EventData]:
    return [RunQueued(reason=reason) for reason in reasons]


def reasons(envelopes: list[Envelope]) -> list[str]:
    return [envelope.data["reason"] for envelope in envelopes]


def test_an_unknown_stream_is_empty(store: EventStore) -> None:
    assert store.read(RUN) == []
    assert store.read(ATTEMPT) == []
    assert store.streams() == []


def test_an_append_gives_the_envelopes_that_are_read_back(stores: Stores) -> None:
    appended = stores.events().append(RUN, 0, queued("a", "b"))
    assert stores.events().read(RUN) == appended
    first = appended[0]
    assert (first.event_type, first.stream, first.version) == ("run_queued", RUN, 1)
    assert (first.project, first.actor, first.schema) == ("demo", "fanfold", 1)
    assert first.data == {"reason": "a"}


def test_an_attempt_stream_is_apart_from_its_run(store: EventStore) -> None:
    store.append(RUN, 0, queued("run"))
    store.append(ATTEMPT, 0, queued("attempt"))
    assert reasons(store.read(RUN)) == ["run"]
    assert reasons(store.read(ATTEMPT)) == ["attempt"]


def test_versions_go_up_by_one_from_one(store: EventStore) -> None:
    store.append(RUN, 0, queued("a"))
    store.append(RUN, 1, queued("b", "c"))
    store.append(RUN, 3, queued("d"))
    assert [e.version for e in store.read(RUN)] == [1, 2, 3, 4]
    assert reasons(store.read(RUN)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("after", "expected"), [(0, "abc"), (1, "bc"), (3, ""), (9, "")])
def test_reading_begins_after_a_version(store: EventStore, after: int, expected: str) -> None:
    store.append(RUN, 0, queued(*"abc"))
    assert "".join(reasons(store.read(RUN, after))) == expected


def test_event_ids_are_distinct_version_7_uuids(store: EventStore) -> None:
    appended = store.append(RUN, 0, queued(*"abcdef"))
    ids = [uuid.UUID(e.event_id) for e in appended]
    assert len(set(ids)) == 6
    assert {i.version for i in ids} == {7}


def test_the_actor_is_kept(store: EventStore) -> None:
    store.append(RUN, 0, queued("a"), actor="user:ada")
    assert store.read(RUN)[0].actor == "user:ada"


@pytest.mark.parametrize("expected", [0, 2, -1])
@pytest.mark.parametrize("stream", [RUN, ATTEMPT])
def test_a_conflict_appends_nothing(stores: Stores, stream: str, expected: int) -> None:
    store = stores.events()
    store.append(stream, 0, queued("first"))
    with pytest.raises(StreamConflict) as conflict:
        store.append(stream, expected, queued("x", "y"))
    assert (conflict.value.stream, conflict.value.expected, conflict.value.actual) == (
        stream,
        expected,
        1,
    )
    assert reasons(stores.events().read(stream)) == ["first"]


def test_a_conflict_on_a_new_stream_does_not_make_it(store: EventStore) -> None:
    with pytest.raises(StreamConflict):
        store.append(RUN, 3, queued("x"))
    assert store.read(RUN) == []
    assert store.streams() == []


def test_an_empty_append_only_checks_the_version(store: EventStore) -> None:
    assert store.append(RUN, 0, []) == []
    assert store.streams() == []
    with pytest.raises(StreamConflict):
        store.append(RUN, 1, [])


def test_timestamps_are_the_clocks_in_utc(stores: Stores) -> None:
    envelope = stores.events().append(RUN, 0, queued("a"))[0]
    assert envelope.timestamp == stores.clock.now() == datetime(2026, 1, 1, tzinfo=UTC)
    stores.clock.advance(1.5)
    later = stores.events().append(RUN, 1, queued("b"))[0]
    assert (later.timestamp - envelope.timestamp).total_seconds() == 1.5


def test_timestamps_never_go_back_in_a_stream(stores: Stores) -> None:
    stores.events().append(RUN, 0, queued("a"))
    stores.clock.advance(60)
    latest = stores.events().append(RUN, 1, queued("b"))[0].timestamp
    stores.clock.advance(-30)
    assert stores.events().append(RUN, 2, queued("c"))[0].timestamp == latest
    assert stores.events().read(RUN)[2].timestamp == latest


def test_streams_come_in_the_order_of_their_first_append(stores: Stores) -> None:
    store = stores.events()
    for name in ("run/b", "run/a", "run/a/attempt/2.1", "run/a/attempt/1.1", "run/c"):
        store.append(name, 0, queued("x"))
        stores.clock.advance(1)
    store.append("run/b", 1, queued("y"))
    reader = stores.events()
    attempts = ["run/a/attempt/2.1", "run/a/attempt/1.1"]
    assert reader.streams() == ["run/b", "run/a", *attempts, "run/c"]
    assert reader.streams("run/a") == ["run/a", *attempts]
    assert reader.streams("run/a/attempt/") == attempts
    assert reader.streams("run/a/attempt/1") == ["run/a/attempt/1.1"]
    assert reader.streams("run/x") == []


def test_a_run_id_that_begins_like_another_is_another(store: EventStore) -> None:
    store.append("run/r1", 0, queued("one"))
    store.append("run/r10", 0, queued("ten"))
    assert reasons(store.read("run/r1")) == ["one"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "line\nbreak\r\n",
        '"quoted" \\ {"a": 1}',
        "naïve 測試 🎉",
        "\u2028\u2029\u0085",
        "\x00\x1b[0m",
    ],
)
def test_any_text_survives(stores: Stores, text: str) -> None:
    stores.events().append(RUN, 0, queued(text, "after"))
    assert reasons(stores.events().read(RUN)) == [text, "after"]


def test_a_lone_surrogate_does_not_stop_an_append(stores: Stores) -> None:
    appended = stores.events().append(RUN, 0, queued("bad \udcff name"))
    assert reasons(appended) == ["bad ? name"]
    assert stores.events().read(RUN) == appended


def test_typed_events_come_back_equal(store: EventStore) -> None:
    events: list[EventData] = [
        RunResumed(generation=2, cap=None),
        ModelCalled(call=1, message_id="m", usage=Usage(1, 2), cost=3, latency_ms=4),
        AttemptEnded(outcome=Exit.BUDGET, cost=2**53 + 1),
        PlanWrittenBack(
            branch="b", tip="t", tree="u", merged_tree="v", commits={"1": "c"}, changed=("a", "b")
        ),
    ]
    store.append(RUN, 0, events)
    back = [recorded(envelope) for envelope in store.read(RUN)]
    assert [r and r.data for r in back] == events
    assert [r and r.version for r in back] == [1, 2, 3, 4]


@pytest.mark.parametrize("stream", [RUN, ATTEMPT])
def test_a_large_payload_goes_through(stores: Stores, stream: str) -> None:
    event = RunFailed(reason="ä" * 100_000)
    appended = stores.events().append(stream, 0, [*queued("small"), event])
    assert appended[1].data == payload(event)
    assert stores.events().read(stream) == appended
    assert stores.events().read(stream, 1) == appended[1:]


@pytest.mark.parametrize("stream", [RUN, ATTEMPT])
def test_a_large_payload_survives_cleaning_up(stores: Stores, stream: str) -> None:
    appended = stores.events().append(stream, 0, queued("x" * 100_000))
    stores.artifacts().put("runs/r1/plan.md", b"plan")
    assert stores.artifacts().delete("runs/r1") == 1
    assert stores.events().read(stream) == appended


def test_a_payload_just_below_the_limit_stays_in_the_log(stores: Stores) -> None:
    stores.events().append(RUN, 0, queued("x" * (64 * 1024 - 20)))
    assert payloads(stores) == []
    stores.events().append(RUN, 1, queued("x" * (64 * 1024)))
    assert len(payloads(stores)) == 1


def test_a_conflict_stores_no_payload(stores: Stores) -> None:
    with pytest.raises(StreamConflict):
        stores.events().append(RUN, 4, queued("x" * 100_000))
    assert payloads(stores) == []


@pytest.mark.parametrize("stream", ["", "run/a\nb", "run/\x00"])
def test_a_stream_needs_a_printable_name(store: EventStore, stream: str) -> None:
    with pytest.raises(FanfoldError, match="no name for a stream"):
        store.append(stream, 0, queued("x"))


def test_one_of_many_concurrent_appenders_wins_each_version(stores: Stores) -> None:
    shared = stores.events()

    def worker(number: int) -> int:
        store = shared if number % 2 else stores.events()
        won = 0
        while won < 15:
            version = len(store.read(RUN))
            try:
                store.append(RUN, version, queued(f"{number}", f"{number}"))
            except StreamConflict:
                continue
            won += 1
        return won

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(worker, range(6))) == [15] * 6
    envelopes = stores.events().read(RUN)
    assert [e.version for e in envelopes] == list(range(1, 181))
    pairs = reasons(envelopes)
    assert pairs[0::2] == pairs[1::2]


def test_streams_are_appended_to_concurrently(stores: Stores) -> None:
    store = stores.events()

    def worker(number: int) -> None:
        for version in range(20):
            store.append(attempt_stream("r1", f"{number}.1"), version, queued(str(version)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(worker, range(8)))
    for number in range(8):
        stream = attempt_stream("r1", f"{number}.1")
        assert reasons(store.read(stream)) == [str(v) for v in range(20)]
    assert len(store.streams("run/r1/attempt/")) == 8


class EventStoreModel(RuleBasedStateMachine):
    """Any sequence of appends, on any number of open stores, against plain lists."""

    backend = ""
    names = st.sampled_from(["run/a", "run/b", "run/a/attempt/1.1", "run/a/attempt/1.2", "batch/x"])
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.opened = BACKENDS[self.backend](Path(self.folder.name))
        self.stores = self.opened.__enter__()
        self.open_stores = [self.stores.events()]
        self.model: dict[str, list[str]] = {}

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.__exit__(None, None, None)
            self.folder.cleanup()

    @rule(
        name=names, texts=st.lists(texts, max_size=3), off=st.integers(-1, 1), which=st.integers(0)
    )
    def append(self, name: str, texts: list[str], off: int, which: int) -> None:
        known = self.model.get(name, [])
        store = self.open_stores[which % len(self.open_stores)]
        if off:
            with pytest.raises(StreamConflict):
                store.append(name, len(known) + off, queued(*texts))
            return
        appended = store.append(name, len(known), queued(*texts))
        assert [e.version for e in appended] == list(
            range(len(known) + 1, len(known) + len(texts) + 1)
        )
        if texts:
            self.model[name] = known + texts

    @rule()
    def open_another(self) -> None:
        self.open_stores.append(self.stores.events())

    @rule(name=names, after=st.integers(0, 9), which=st.integers(0))
    def read(self, name: str, after: int, which: int) -> None:
        store = self.open_stores[which % len(self.open_stores)]
        assert reasons(store.read(name, after)) == self.model.get(name, [])[after:]

    @rule(seconds=st.floats(-5, 5))
    def time_passes(self, seconds: float) -> None:
        self.stores.clock.advance(seconds)

    @invariant()
    def everything_is_there(self) -> None:
        if not hasattr(self, "model"):
            return
        store = self.open_stores[-1]
        assert set(store.streams()) == set(self.model)
        for name, texts in self.model.items():
            envelopes = store.read(name)
            assert reasons(envelopes) == texts
            assert [e.version for e in envelopes] == list(range(1, len(texts) + 1))
            times = [e.timestamp for e in envelopes]
            assert times == sorted(times)


@pytest.mark.parametrize("backend", list(BACKENDS))
def test_any_sequence_of_appends_reads_like_a_list(backend: str) -> None:
    machine = type("Machine", (EventStoreModel,), {"backend": backend})
    case = machine.TestCase
    case.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
    case().runTest()


def test_a_payload_that_is_gone_is_an_error(stores: Stores) -> None:
    stores.events().append(RUN, 0, queued("x" * 100_000))
    (key,) = payloads(stores)
    stores.artifacts().put(key, b"{}")
    with pytest.raises((ArtifactMissing, FanfoldError), match="SHA-256"):
        stores.events().read(RUN)
