"""Leases as files: holders whose process is gone, and files that are no lease."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.adapters.local import processes
from fanfold.adapters.local.lease import FileLease
from fanfold.errors import FanfoldError, LeaseHeld, LeaseLost
from tests.fakes.memory import ManualClock

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from fanfold.ports import Lease

NAME = "run/r1"
HOLDER = """
import sys, time
from pathlib import Path
from fanfold.adapters.local.lease import FileLease
from tests.fakes.memory import ManualClock
FileLease(Path(sys.argv[1]), ManualClock()).acquire("run/r1", "child", 3600)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    return FileLease(tmp_path, ManualClock())


@pytest.fixture
def child(tmp_path: Path) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def change(tmp_path: Path, **fields: Any) -> None:
    file = next((tmp_path / "leases").glob("*.json"))
    record = json.loads(file.read_bytes())
    record["process"] |= fields
    file.write_text(json.dumps(record))


def test_a_live_process_keeps_its_lease(lease: Lease, child: subprocess.Popen[str]) -> None:
    assert lease.holder(NAME) == "child"
    with pytest.raises(LeaseHeld, match="child"):
        lease.acquire(NAME, "parent", 60)


@pytest.mark.parametrize("reaped", [True, False])
def test_a_lease_ends_with_its_process(
    lease: Lease, child: subprocess.Popen[str], reaped: bool
) -> None:
    child.kill()
    if reaped:
        child.wait()
    else:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert lease.holder(NAME) is None
    assert lease.acquire(NAME, "parent", 60) == 2


def test_a_recycled_process_id_is_not_the_holder(lease: Lease, tmp_path: Path) -> None:
    lease.acquire(NAME, "former", 60)
    change(tmp_path, started="an earlier time")
    assert lease.holder(NAME) is None
    assert lease.acquire(NAME, "new", 60) == 2


def test_a_lease_ends_with_the_boot_of_its_machine(lease: Lease, tmp_path: Path) -> None:
    lease.acquire(NAME, "former", 60)
    change(tmp_path, boot="the boot before")
    assert lease.holder(NAME) is None


@pytest.mark.parametrize(
    "elsewhere",
    [{"machine": "another", "boot": "another"}, {"space": "pid:[another]", "pid": 2**22 + 1}],
)
def test_a_holder_that_cannot_be_seen_from_here_keeps_its_time(
    tmp_path: Path, elsewhere: dict[str, Any]
) -> None:
    clock = ManualClock()
    lease = FileLease(tmp_path, clock)
    lease.acquire(NAME, "elsewhere", 60)
    change(tmp_path, **elsewhere)
    assert lease.holder(NAME) == "elsewhere"
    clock.advance(60)
    assert lease.holder(NAME) is None


def test_a_taken_over_lease_is_lost_to_its_former_process(lease: Lease, tmp_path: Path) -> None:
    lease.acquire(NAME, "former", 60)
    change(tmp_path, started="an earlier time")
    lease.acquire(NAME, "new", 60)
    with pytest.raises(LeaseLost, match="'new'"):
        lease.renew(NAME, "former", 60)


def test_a_file_that_is_no_lease_is_named(lease: Lease, tmp_path: Path) -> None:
    lease.acquire(NAME, "ada", 60)
    file = next((tmp_path / "leases").glob("*.json"))
    file.write_text("")
    with pytest.raises(FanfoldError, match=r"is no lease .* remove the file"):
        lease.acquire(NAME, "ada", 60)


def test_leases_stay_in_their_folder(lease: Lease, tmp_path: Path) -> None:
    for name in ("../../escape", "/etc/x", "..", "a/b", "x" * 500):
        lease.acquire(name, "ada", 60)
    assert [p.name for p in tmp_path.iterdir()] == ["leases"]
    assert len(list((tmp_path / "leases").glob("*.json"))) == 5


@pytest.mark.skipif(shutil.which("ps") is None, reason="no ps here")
def test_a_process_is_known_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, where `ps` tells when a process started."""
    monkeypatch.setattr(processes, "_started", processes._started_by_ps)  # pyright: ignore[reportPrivateUsage]
    own = processes.own_identity()
    assert own.started
    assert not processes.is_gone(own)
    assert processes.is_gone(msgspec.structs.replace(own, started="Thu Jan  1 00:00:00 1970"))
    with subprocess.Popen(["/bin/true"]) as ended:
        ended.wait()
        assert processes.is_gone(msgspec.structs.replace(own, pid=ended.pid))


def test_a_process_that_may_not_be_looked_at_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another user's where /proc hides those."""

    def hidden(pid: int) -> None:
        return None

    def refused(pid: int, signal: int) -> None:
        raise PermissionError

    own = processes.own_identity()
    monkeypatch.setattr(processes, "_started", hidden)
    assert not processes.is_gone(own)
    monkeypatch.setattr(os, "kill", refused)
    assert not processes.is_gone(own)
