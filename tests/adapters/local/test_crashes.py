"""Killed writers, writers in other processes, full disks, folders that cannot be written."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from fanfold.adapters.local.artifact_store import FileArtifactStore
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.errors import FanfoldError
from fanfold.run.events import RunQueued, attempt_stream, run_stream
from tests.fakes.memory import ManualClock

RUN = run_stream("r1")
ATTEMPT = attempt_stream("r1", "1.1")
REPOSITORY = Path(__file__).parents[3]

WRITER = """
import random, sys
from pathlib import Path
from fanfold.adapters.local.clock import SystemClock
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.errors import StreamConflict
from fanfold.run.events import RunQueued

root, stream, seed, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store, choose = JsonlEventStore(root, "demo", SystemClock()), random.Random(seed)
appended = 0
while appended < count:
    sizes = [choose.randrange(6000) for _ in range(choose.randint(1, 3))]
    batch = [RunQueued(reason=f"{seed} " + "x" * size) for size in sizes]
    try:
        store.append(stream, len(store.read(stream)), batch)
        appended += len(batch)
    except StreamConflict:
        pass
print(appended)
"""

FULL = """
import resource, sys
from pathlib import Path
from fanfold.adapters.local.artifact_store import FileArtifactStore
from fanfold.adapters.local.clock import SystemClock
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.errors import FanfoldError
from fanfold.run.events import RunQueued

root, room = Path(sys.argv[1]), int(sys.argv[2])
if room:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
store = JsonlEventStore(root, "demo", SystemClock())
version = len(store.read("run/r1"))
events = [RunQueued(reason="y" * 5000), RunQueued(reason="z" * 50000)]
for attempt in range(2):
    try:
        store.append("run/r1", version, events)
    except FanfoldError as error:
        print(error)
try:
    FileArtifactStore(root).put("runs/r1/big.bin", b"x" * 10_000_000)
except FanfoldError as error:
    print(error)
print(version, len(store.read("run/r1")), FileArtifactStore(root).get("runs/r1/big.bin"))
"""


def started(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def opened(root: Path) -> JsonlEventStore:
    return JsonlEventStore(root, "demo", ManualClock())


def whole_lines(log: Path) -> list[tuple[str, int]]:
    """Stream and version of each line that a plain reader of the file understands."""
    found: list[tuple[str, int]] = []
    for line in log.read_bytes().split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        found.append((event["stream"], event["version"]))
    return found


@pytest.mark.parametrize("stream", [RUN, ATTEMPT])
def test_killed_writers_leave_no_gap_and_no_repetition(tmp_path: Path, stream: str) -> None:
    log = tmp_path / ("events" if stream == RUN else "runs/r1/attempts/1.1") / "events.jsonl"
    choose, before = random.Random(4), 0
    for round_ in range(5):
        writers = [started(WRITER, tmp_path, stream, round_ * 10 + n, 10**6) for n in range(2)]
        while not log.exists() or log.stat().st_size <= before:
            time.sleep(0.001)
        time.sleep(choose.random() * 0.15)
        for writer in writers:
            writer.kill()
            assert writer.wait() == -signal.SIGKILL
        with log.open("ab") as file:
            file.write(b'{"torn": ')
        count = len(opened(tmp_path).read(stream))
        opened(tmp_path).append(stream, count, [RunQueued(reason="after the crash")])
        before = log.stat().st_size
    versions = [e.version for e in opened(tmp_path).read(stream)]
    assert versions == list(range(1, len(versions) + 1))
    assert whole_lines(log) == [(stream, v) for v in versions]


def test_processes_append_to_one_stream(tmp_path: Path) -> None:
    writers = [started(WRITER, tmp_path, RUN, seed, 60) for seed in range(4)]
    appended = {seed: int(w.communicate(timeout=60)[0]) for seed, w in enumerate(writers)}
    envelopes = opened(tmp_path).read(RUN)
    assert [e.version for e in envelopes] == list(range(1, len(envelopes) + 1))
    assert Counter(int(e.data["reason"].split()[0]) for e in envelopes) == appended
    times = [e.timestamp for e in envelopes]
    assert times == sorted(times)


def assert_nothing_half_done(printed: str, root: Path) -> None:
    *errors, last = printed.splitlines()
    assert len(errors) == 3
    for error in errors[:2]:
        assert "events.jsonl" in error
    assert "big.bin" in errors[2]
    assert all("free some space" in error for error in errors)
    assert last == "1 1 b'former'"
    assert not list(root.rglob(".tmp-*"))


@pytest.mark.parametrize("room", [1_000, 4_096, 20_000])
def test_a_full_disk_leaves_nothing_half_done(tmp_path: Path, room: int) -> None:
    opened(tmp_path).append(RUN, 0, [RunQueued(reason="a")])
    FileArtifactStore(tmp_path).put("runs/r1/big.bin", b"former")
    log = tmp_path / "events" / "events.jsonl"
    before = log.read_bytes()
    printed = started(FULL, tmp_path, room).communicate(timeout=60)[0]
    assert_nothing_half_done(printed, tmp_path)
    assert log.read_bytes() == before
    opened(tmp_path).append(RUN, 1, [RunQueued(reason="there is room again")])
    assert len(opened(tmp_path).read(RUN)) == 2


def private_mounts() -> bool:
    command = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


needs_mounts = pytest.mark.skipif(not private_mounts(), reason="cannot mount in a user namespace")


@needs_mounts
def test_a_full_file_system_leaves_nothing_half_done(tmp_path: Path) -> None:
    script = (
        'mount -t tmpfs -o size=48k none "$2" && cp -r "$3/." "$2" && shift 1 && '
        '"$0" -c "$CODE" "$1" 0 && cp -r "$1/." "$2"'
    )
    seed, disk = tmp_path / "seed", tmp_path / "disk"
    disk.mkdir()
    opened(seed).append(RUN, 0, [RunQueued(reason="a")])
    FileArtifactStore(seed).put("runs/r1/big.bin", b"former")
    before = (seed / "events" / "events.jsonl").read_bytes()
    result = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, sys.executable, "-", str(disk), str(seed)],
        cwd=REPOSITORY,
        env={"CODE": FULL, "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    assert_nothing_half_done(result.stdout, seed)
    assert (seed / "events" / "events.jsonl").read_bytes() == before


@needs_mounts
def test_a_read_only_workspace_can_be_read(tmp_path: Path) -> None:
    opened(tmp_path).append(RUN, 0, [RunQueued(reason="a")])
    (tmp_path / "leases" / "events.lock").unlink()
    code = """
import sys
from pathlib import Path
from fanfold.adapters.local.clock import SystemClock
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.errors import FanfoldError
from fanfold.run.events import RunQueued
store = JsonlEventStore(Path(sys.argv[1]), "demo", SystemClock())
print(len(store.read("run/r1")), store.streams())
try:
    store.append("run/r1", 1, [RunQueued(reason="b")])
except FanfoldError as error:
    print(error)
"""
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && "$0" -c "$CODE" "$1"'
    result = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, sys.executable, str(tmp_path)],
        cwd=REPOSITORY,
        env={"CODE": code, "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    read, refused = result.stdout.splitlines()
    assert read == "1 ['run/r1']"
    assert "Read-only file system; make it writable" in refused
    assert str(tmp_path) in refused


@pytest.mark.parametrize("in_the_way", ["events", "runs", "leases", "runs/r1/attempts/1.1"])
def test_a_file_in_the_way_is_named_and_kept(tmp_path: Path, in_the_way: str) -> None:
    blocker = tmp_path / in_the_way
    blocker.parent.mkdir(parents=True, exist_ok=True)
    blocker.write_text("mine")
    stream = ATTEMPT if in_the_way.startswith("runs") else RUN
    store = opened(tmp_path)
    assert store.read(stream) == []
    assert store.streams() == []
    with pytest.raises(FanfoldError, match="move away the file that is where a folder must be"):
        store.append(stream, 0, [RunQueued(reason="a")])
    assert blocker.read_text() == "mine"


def test_a_folder_in_the_way_of_the_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "events" / "events.jsonl").mkdir(parents=True)
    with pytest.raises(FanfoldError, match=r"events\.jsonl.* move away the folder"):
        opened(tmp_path).append(RUN, 0, [RunQueued(reason="a")])
