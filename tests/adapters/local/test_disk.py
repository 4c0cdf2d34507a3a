"""Locks among threads and processes, and what the disk's refusals say."""

from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fanfold.adapters.local import disk
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.errors import FanfoldError
from fanfold.run.events import RunQueued
from tests.fakes.memory import ManualClock


def test_a_lock_is_exclusive(tmp_path: Path) -> None:
    path, inside, overlaps = tmp_path / "a" / "lock", threading.Lock(), list[int]()

    def worker(number: int) -> None:
        for _ in range(20):
            with disk.locked(path):
                if not inside.acquire(blocking=False):
                    overlaps.append(number)
                    continue
                inside.release()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(worker, range(4)))
    assert overlaps == []


def test_readers_share_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with disk.locked(path, shared=True), disk.locked(path, shared=True):
        pass


def test_a_lock_that_nobody_gives_back_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "LOCK_TIMEOUT_S", 0.02)
    path = tmp_path / "lock"
    with (
        disk.locked(path),
        pytest.raises(FanfoldError, match="locked by another process"),
        disk.locked(path),
    ):
        pass


def test_an_error_inside_a_lock_comes_through_and_frees_it(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), disk.locked(tmp_path / "lock"):
        raise BlockingIOError
    with disk.locked(tmp_path / "lock"):
        pass


def test_a_reader_waits_for_the_end_of_an_append(tmp_path: Path) -> None:
    store = JsonlEventStore(tmp_path, "demo", ManualClock())
    store.append("run/r1", 0, [RunQueued(reason=r) for r in "abc"])
    log = tmp_path / "events" / "events.jsonl"
    whole = log.read_bytes()
    cut = whole.index(b"\n") + 1
    reader = JsonlEventStore(tmp_path, "demo", ManualClock())
    with ThreadPoolExecutor(1) as pool:
        with disk.locked(tmp_path / "leases" / "events.lock"):
            log.write_bytes(whole[:cut])
            read = pool.submit(reader.read, "run/r1")
            threading.Event().wait(0.05)
            assert not read.done()
            log.write_bytes(whole)
        assert len(read.result(timeout=10)) == 3


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "make it writable"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_refusal_is_one_line_with_path_and_mend(code: int, mend: str) -> None:
    path = Path("some") / "file"
    with pytest.raises(FanfoldError) as refused, disk.translated("write", path):
        raise OSError(code, "Input/output error")
    assert "cannot write 'some/file': Input/output error" in str(refused.value)
    assert mend in str(refused.value)
    assert "\n" not in str(refused.value)
