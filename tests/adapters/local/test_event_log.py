"""The log as a file that other programs write to as well, and that a crash can tear."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.adapters import envelopes
from fanfold.adapters.local import event_log
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.errors import FanfoldError, StreamConflict
from fanfold.run.events import RunQueued, RunRequested, attempt_stream, recorded, run_stream
from tests.fakes.memory import ManualClock

RUN = run_stream("r1")
FOREIGN = [
    b"not json at all",
    b'{"event_type": "intent_raised", "timestamp": "2026-02-23T10:30:00Z", "data": {}}',
    b'{"eventType": "START", "eventTime": "2026-03-04T08:10:00Z"}',
    b"[1, 2]",
    b"null",
    b"\xff\xfe\x00",
    b'{"event_id":"x","event_type":"run_queued","timestamp":"2026-01-01T00:00:00Z","project":"p",'
    b'"stream":"run/r1","version":1,"data":["not","an","object"]}',
    b'{"event_id":"x","event_type":"run_queued","timestamp":"2026-01-01T00:00:00","project":"p",'
    b'"stream":"run/r1","version":1,"data":{"reason":"a time without its zone"}}',
    b'{"event_id":"x","event_type":"run_queued","timestamp":"2026-01-01T00:00:00Z","project":"p",'
    b'"stream":"run/r1","version":0,"data":{"reason":"no such version"}}',
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / ".ai-workspace"


@pytest.fixture
def log(root: Path) -> Path:
    return root / "events" / "events.jsonl"


@pytest.fixture
def store(root: Path) -> JsonlEventStore:
    return opened(root)


def opened(root: Path) -> JsonlEventStore:
    return JsonlEventStore(root, "demo", ManualClock())


def queued(*reasons: str) -> list[RunQueued]:
    return [RunQueued(reason=reason) for reason in reasons]


def reasons(store: JsonlEventStore, stream: str = RUN) -> list[str]:
    return [envelope.data["reason"] for envelope in store.read(stream)]


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes().splitlines()]


def test_a_line_is_one_event_in_the_workspaces_vocabulary(
    store: JsonlEventStore, log: Path
) -> None:
    store.append(RUN, 0, queued("a\nb"), actor="ada")
    line = lines(log)[0]
    assert len(line.pop("event_id")) == 36
    assert line == {
        "event_type": "run_queued",
        "timestamp": "2026-01-01T00:00:00Z",
        "project": "demo",
        "stream": "run/r1",
        "version": 1,
        "schema": 1,
        "actor": "ada",
        "data": {"reason": "a\nb"},
    }


def test_an_attempt_is_logged_beside_its_artifacts(store: JsonlEventStore, root: Path) -> None:
    store.append(attempt_stream("r1", "2.1.1"), 0, queued("a"))
    assert len(lines(root / "runs/r1/attempts/2.1.1/events.jsonl")) == 1
    assert not (root / "events").exists()


@pytest.mark.parametrize("name", ["..", ".", "run/../attempt/1.1", "run/r1/attempt/.."])
def test_a_stream_name_cannot_leave_the_workspace(store: JsonlEventStore, name: str) -> None:
    stream = name if "/" in name else f"run/r1/attempt/{name}"
    with pytest.raises(FanfoldError, match="plain relative path"):
        store.append(stream, 0, queued("a"))


def test_foreign_lines_are_kept_skipped_and_counted(root: Path, log: Path) -> None:
    log.parent.mkdir(parents=True)
    before = b"".join(line + b"\n" for line in FOREIGN)
    log.write_bytes(before)
    store = opened(root)
    assert store.read(RUN) == []
    assert store.skipped_lines == len(FOREIGN)
    store.append(RUN, 0, queued("a"))
    with log.open("ab") as file:
        file.write(FOREIGN[0] + b"\r\n\n")
    store.append(RUN, 1, queued("b"))
    assert reasons(store) == reasons(opened(root)) == ["a", "b"]
    assert store.skipped_lines == len(FOREIGN) + 1
    assert log.read_bytes().startswith(before)


def test_events_of_other_programs_in_our_envelope_are_readable(root: Path, log: Path) -> None:
    log.parent.mkdir(parents=True)
    log.write_text(
        '{"event_id": "1", "event_type": "edge_converged", "timestamp": "2026-01-01T01:00:00+01:00"'
        ', "project": "p", "stream": "feature/1", "version": 1, "more": [1], "data": {"delta": 0}'
        "}\n"
    )
    envelope = opened(root).read("feature/1")[0]
    assert envelope.data == {"delta": 0}
    assert recorded(envelope) is None


@pytest.mark.parametrize("torn", [b'{"event_id":"0', b"\xe2\x82", b"{" * 100_000])
def test_an_append_after_a_torn_line_starts_its_own(root: Path, log: Path, torn: bytes) -> None:
    opened(root).append(RUN, 0, queued("a"))
    with log.open("ab") as file:
        file.write(torn)
    before = log.read_bytes()
    store = opened(root)
    assert reasons(store) == ["a"]
    assert store.skipped_lines == 1
    store.append(RUN, 1, queued("b", "c"))
    assert reasons(store) == reasons(opened(root)) == ["a", "b", "c"]
    assert store.skipped_lines == 1
    assert log.read_bytes().startswith(before + b"\n{")


def test_a_log_cut_anywhere_goes_on_without_gap_or_repetition(root: Path, log: Path) -> None:
    opened(root).append(RUN, 0, queued("a", "b", "c"))
    whole = log.read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    near_ends = {end + near for end in ends for near in (-2, -1, 0, 1)}
    for size in sorted(near_ends | set(range(0, len(whole), 9))):
        log.write_bytes(whole[:size])
        store = opened(root)
        kept = sum(size >= end for end in ends)
        assert reasons(store) == ["a", "b", "c"][:kept]
        store.append(RUN, kept, queued("after"))
        assert reasons(opened(root)) == [*["a", "b", "c"][:kept], "after"]
        assert log.read_bytes().startswith(whole[:size])
        versions = [v for line in log.read_bytes().splitlines() if (v := version_of(line))]
        assert versions == list(range(1, kept + 2))


def version_of(line: bytes) -> int | None:
    try:
        return json.loads(line)["version"]
    except ValueError:
        return None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(1, 3),
            st.binary(min_size=1, max_size=40),
            st.sampled_from(FOREIGN).flatmap(lambda f: st.sampled_from([f, f + b"\n", f[:20]])),
            st.none(),
        ),
        max_size=12,
    )
)
def test_nothing_that_others_write_is_lost_or_in_the_way(actions: list[int | bytes | None]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root, count, before = Path(name), 0, b""
        log = root / "events" / "events.jsonl"
        log.parent.mkdir()
        store = opened(root)
        for action in actions:
            if isinstance(action, bytes):
                with log.open("ab") as file:
                    file.write(action)
            elif action is None:
                store = opened(root)
            else:
                store.append(RUN, count, queued(*["x"] * action))
                count += action
            content = log.read_bytes() if log.exists() else b""
            assert content.startswith(before)
            assert [e.version for e in store.read(RUN)] == list(range(1, count + 1))
            before = content


def test_a_repeated_line_counts_once(root: Path, log: Path) -> None:
    opened(root).append(RUN, 0, queued("a", "b"))
    log.write_bytes(log.read_bytes() * 2)
    store = opened(root)
    assert reasons(store) == ["a", "b"]
    assert store.skipped_lines == 2
    store.append(RUN, 2, queued("c"))
    assert reasons(opened(root)) == ["a", "b", "c"]


def test_a_missing_line_is_an_error_of_that_stream_alone(root: Path, log: Path) -> None:
    store = opened(root)
    store.append(RUN, 0, queued("a", "b", "c"))
    store.append("run/r2", 0, queued("x"))
    kept = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(kept[0] + kept[2] + kept[3])
    damaged = opened(root)
    with pytest.raises(FanfoldError, match=r"'run/r1' version 2 is missing .* restore"):
        damaged.read(RUN)
    with pytest.raises(FanfoldError, match="version 2 is missing"):
        damaged.append(RUN, 1, queued("d"))
    assert reasons(damaged, "run/r2") == ["x"]


def test_a_stream_without_its_first_line_is_still_named(root: Path, log: Path) -> None:
    opened(root).append(RUN, 0, queued("a", "b"))
    log.write_bytes(log.read_bytes().splitlines()[1])
    assert opened(root).streams() == [RUN]
    with pytest.raises(FanfoldError, match="version 1 is missing"):
        opened(root).read(RUN)


def test_a_log_that_was_replaced_by_one_that_ends_alike_is_read_anew(
    root: Path, log: Path, tmp_path: Path
) -> None:
    store = opened(root)
    store.append(RUN, 0, queued("aa", "b", "x" * 1000))
    other = tmp_path / "other"
    other.write_bytes(log.read_bytes().replace(b'"aa"', b'"a"').replace(b'"b"', b'"bb"'))
    other.replace(log)
    assert reasons(store) == ["a", "bb", "x" * 1000]


def test_a_log_that_was_replaced_is_read_anew(root: Path, log: Path, tmp_path: Path) -> None:
    store = opened(root)
    store.append(RUN, 0, queued("a", "b"))
    other = tmp_path / "other"
    opened(other).append(RUN, 0, queued("x", "y", "z"))
    shutil.move(other / "events" / "events.jsonl", log)
    assert reasons(store) == ["x", "y", "z"]
    store.append(RUN, 3, queued("c"))
    assert reasons(opened(root)) == ["x", "y", "z", "c"]


def test_a_log_that_was_rewritten_in_place_is_read_anew(root: Path, log: Path) -> None:
    store = opened(root)
    store.append(RUN, 0, queued("aa", "b"))
    log.write_bytes(log.read_bytes().replace(b'"aa"', b'"a"').replace(b'"b"', b'"bb"'))
    assert reasons(store) == ["a", "bb"]


def test_a_log_that_was_cut_or_removed_is_read_anew(root: Path, log: Path) -> None:
    store = opened(root)
    store.append(RUN, 0, queued("a"))
    size = log.stat().st_size
    store.append(RUN, 1, queued("b"))
    os.truncate(log, size)
    assert reasons(store) == ["a"]
    with pytest.raises(StreamConflict):
        store.append(RUN, 2, queued("c"))
    log.unlink()
    assert store.read(RUN) == []
    assert store.streams() == []
    store.append(RUN, 0, queued("new"))
    assert reasons(opened(root)) == ["new"]


def test_only_what_is_new_is_read(root: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(root).append(RUN, 0, queued(*["x" * 1000] * 500))
    store = opened(root)
    store.streams()
    taken: list[int] = []
    pread = os.pread

    def counting(descriptor: int, length: int, offset: int) -> bytes:
        data = pread(descriptor, length, offset)
        taken.append(len(data))
        return data

    monkeypatch.setattr(event_log.os, "pread", counting)
    store.append(RUN, 500, queued("new"))
    assert [e.data["reason"] for e in store.read(RUN, 500)] == ["new"]
    assert 0 < sum(taken) < log.stat().st_size / 100


def test_lines_longer_than_a_reading_step_are_read(
    root: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_CHUNK", 100)
    store = opened(root)
    store.append(RUN, 0, queued("a", "x" * 5000, "b"))
    with log.open("ab") as file:
        file.write(b"y" * 1000 + b"\n")
    store.append(RUN, 3, queued("c"))
    assert reasons(opened(root)) == ["a", "x" * 5000, "b", "c"]


def test_streams_far_apart_in_the_log_are_read(root: Path) -> None:
    store = opened(root)
    store.append(RUN, 0, queued("a"))
    store.append("run/r2", 0, queued(*["x" * 1000] * 50))
    store.append(RUN, 1, queued("b"))
    assert reasons(opened(root)) == ["a", "b"]


def test_the_payload_of_a_large_event_is_an_artifact(root: Path, log: Path) -> None:
    store = opened(root)
    store.append(RUN, 0, queued("x" * 100_000))
    reference = lines(log)[0]["data"]
    assert set(reference) == {"$artifact", "sha256"}
    assert (root / reference["$artifact"]).stat().st_size > 100_000
    assert log.stat().st_size < 1000
    store.append(attempt_stream("r1", "1.1"), 0, queued("x" * 100_000))
    assert len(list((root / "runs/r1/attempts/1.1/events").iterdir())) == 1


def test_old_schemas_are_upcast_step_by_step(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(root).append(RUN, 0, queued("a"))

    def renamed(data: dict[str, Any]) -> dict[str, Any]:
        return {"why": data["reason"]}

    def shouted(data: dict[str, Any]) -> dict[str, Any]:
        return {"reason": data["why"].upper()}

    monkeypatch.setitem(envelopes.UPCASTS, ("run_queued", 1), renamed)
    monkeypatch.setitem(envelopes.UPCASTS, ("run_queued", 2), shouted)
    store = opened(root)
    store.append(RUN, 1, queued("b"))
    assert reasons(store) == ["A", "b"]
    assert [e.schema for e in store.read(RUN)] == [3, 3]


def test_a_newer_schema_asks_for_a_newer_program(root: Path, log: Path) -> None:
    opened(root).append(RUN, 0, queued("a"))
    log.write_bytes(log.read_bytes().replace(b'"schema":1', b'"schema":2'))
    with pytest.raises(FanfoldError, match=r"run_queued has schema 2.* install a newer fanfold"):
        opened(root).read(RUN)


def test_missing_optional_fields_of_an_old_event_take_their_defaults(root: Path, log: Path) -> None:
    log.parent.mkdir(parents=True)
    log.write_text(
        '{"event_id":"1","event_type":"run_requested","timestamp":"2026-01-01T00:00:00Z",'
        '"project":"p","stream":"run/r1","version":1,"schema":1,"actor":"fanfold",'
        '"data":{"run_id":"r1","plan":"plan.md","plan_sha256":"0","base":"b"}}\n'
    )
    event = recorded(opened(root).read(RUN)[0])
    assert event is not None
    assert event.data == RunRequested(run_id="r1", plan="plan.md", plan_sha256="0", base="b")
