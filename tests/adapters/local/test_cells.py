"""A cell takes any number of commands, and none is lost or left when it ends."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.local import sandbox
from fanfold.adapters.local.sandbox import Bubblewrap
from fanfold.errors import SandboxUnavailable
from fanfold.run.incidents import Incident, IncidentKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.adapters.local.cell import Cells


@pytest.fixture
def bubblewrap(tmp_path: Path) -> Bubblewrap:
    made = Bubblewrap({"PATH": os.defpath, "HOME": str(tmp_path / "home")})
    reason = made.available()
    return pytest.skip(reason) if reason else made


@pytest.fixture(params=["rooms", "one room"])
def either(
    request: pytest.FixtureRequest, bubblewrap: Bubblewrap, monkeypatch: pytest.MonkeyPatch
) -> Bubblewrap:
    """As it is here, and as it is where nothing in bubblewrap may make namespaces."""
    if request.param == "one room":

        def without_rooms(cells: Cells) -> bool:
            return not cells.reused

        monkeypatch.setattr(sandbox, "_works", without_rooms)
    return bubblewrap


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    return root


def wardens() -> set[int]:
    """The processes of this one's cells."""
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_bytes().rpartition(b")")[2].split()
            words = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and b"bwrap" in words and fields[0] not in b"ZX":
            found.add(int(stat.parent.name))
    return found


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_commands_follow_each_other(either: Bubblewrap, root: Path) -> None:
    for number in range(4):
        told = either.run(f"echo {number} >>log; cat log; exit {number}", str(root), 20)
        assert told.exit_code == number
        assert told.output == "".join(f"{n}\n" for n in range(number + 1))


def test_what_a_command_leaves_is_ended(either: Bubblewrap, root: Path) -> None:
    command = "(setsid sh -c 'sleep 1; echo x >late' &); kill -9 1; echo done"
    told = either.run(command, str(root), 20)
    assert told.output == "done\n"
    assert Incident(IncidentKind.LEFT_OVER, "1") in told.incidents
    late = either.run("trap '' TERM; sleep 30 & sleep 30", str(root), 0.3)
    assert late.timed_out
    assert either.run("ls /proc | grep -c '^[0-9]'", str(root), 20).output.strip() in "2345"
    time.sleep(1.2)
    assert not (root / "late").exists()


def test_a_cell_that_was_killed_is_replaced(bubblewrap: Bubblewrap, root: Path) -> None:
    before = wardens()
    bubblewrap.run("true", str(root), 20)
    (own,) = wardens() - before
    os.kill(own, signal.SIGKILL)
    until(lambda: own not in wardens())
    assert bubblewrap.run("echo on", str(root), 20).output == "on\n"


def test_a_command_whose_cell_is_killed_was_killed(bubblewrap: Bubblewrap, root: Path) -> None:
    before = wardens()
    bubblewrap.run("true", str(root), 20)
    (own,) = wardens() - before

    def kill() -> None:
        until((root / "begun").exists)
        for child in Path(f"/proc/{own}/task/{own}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    told = bubblewrap.run("touch begun; sleep 1; touch late; sleep 20", str(root), 30)
    thread.join()
    assert told.exit_code == 137
    time.sleep(1.2)
    assert not (root / "late").exists()


def test_a_tree_that_is_made_anew_has_a_cell_of_its_own(bubblewrap: Bubblewrap, root: Path) -> None:
    bubblewrap.run("echo old >file", str(root), 20)
    aside = root.rename(root.with_name("aside"))
    root.mkdir()
    assert bubblewrap.run("ls; mkdir .git", str(root), 20).output == ""
    assert bubblewrap.run("touch .git/config", str(root), 20).exit_code != 0
    shutil.rmtree(aside)


def test_cells_end_with_their_trees_and_with_the_sandbox(
    bubblewrap: Bubblewrap, root: Path, tmp_path: Path
) -> None:
    before = wardens()
    bubblewrap.run("true", str(root), 20)
    assert len(wardens() - before) == 1
    shutil.rmtree(root)
    other = tmp_path / "other"
    other.mkdir()
    bubblewrap.run("true", str(other), 20)
    assert len(wardens() - before) == 1
    del bubblewrap.__dict__["_cells"]
    until(lambda: not wardens() - before)


def test_nobody_waits_for_long_in_a_cell(
    bubblewrap: Bubblewrap, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "IDLE_S", 0.2)
    before = wardens()
    bubblewrap.run("true", str(root), 20)
    until(lambda: not wardens() - before)
    assert bubblewrap.run("echo on", str(root), 20).output == "on\n"


def test_why_a_sandbox_did_not_start_is_told(
    bubblewrap: Bubblewrap, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bubblewrap.run("true", str(root), 20)
    monkeypatch.setattr(sandbox, "WORKSPACE", "/usr/none")
    other = root.with_name("other")
    other.mkdir()
    with pytest.raises(SandboxUnavailable, match=r"did not start \(.+\): see `fanfold doctor`"):
        bubblewrap.run("true", str(other), 20)


def test_a_command_that_is_too_long_says_so(either: Bubblewrap, root: Path) -> None:
    told = either.run("true " + "x" * 200_000, str(root), 20)
    assert told.exit_code == 126
    assert "cannot start the command: " in told.output
    assert either.run("echo on", str(root), 20).output == "on\n"


def test_threads_share_a_cell(bubblewrap: Bubblewrap, root: Path) -> None:
    before = wardens()
    results: list[str] = []

    def run(number: int) -> None:
        results.append(bubblewrap.run(f"echo {number}", str(root), 20).output)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [f"{n}\n" for n in range(8)]
    assert len(wardens() - before) == 1
