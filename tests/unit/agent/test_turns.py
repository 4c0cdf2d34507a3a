"""The calls of one turn: reads side by side, everything else one after another, in order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import DONE, Attempt, reply, use

if TYPE_CHECKING:
    from collections.abc import Callable

TOGETHER = 4


@pytest.fixture
def attempt() -> Attempt:
    return Attempt(MemoryWorkspace({f"{number}.txt": f"{number}\n" for number in range(TOGETHER)}))


def told(attempt: Attempt) -> list[str]:
    return [block["content"] for block in attempt.model.requests[1].messages[-1]["content"]]


def watched(attempt: Attempt, monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """The paths for which a method of the workspace begins and ends, as it happens."""
    done: list[str] = []
    inner: Callable[..., object] = getattr(attempt.workspace, name)

    def outer(path: str, *rest: object) -> object:
        done.append(f"{name} {path}")
        try:
            return inner(path, *rest)
        finally:
            done.append(f"end {path}")

    monkeypatch.setattr(attempt.workspace, name, outer)
    return done


def test_reads_of_a_turn_run_at_the_same_time(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits until all have begun, which they never have where they go one by one."""
    barrier, read = threading.Barrier(TOGETHER, timeout=5), attempt.workspace.read

    def meeting(path: str) -> bytes:
        barrier.wait()
        return read(path)

    turn = reply(*(use("read", str(n), file_path=f"{n}.txt") for n in range(TOGETHER)))
    monkeypatch.setattr(attempt.workspace, "read", meeting)
    attempt.run(turn, DONE)
    assert [str(n) in text for n, text in enumerate(told(attempt))] == [True] * TOGETHER


def test_writes_of_a_turn_run_one_after_another_also_to_one_file(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = watched(attempt, monkeypatch, "write")
    paths = ["0.txt", "1.txt", "0.txt", "2.txt", "0.txt"]
    turn = reply(
        *(use("write", str(n), file_path=p, content=f"new {n}\n") for n, p in enumerate(paths))
    )
    attempt.run(turn, DONE)
    assert writes == [f"{step} {path}" for path in paths for step in ("write", "end")]
    assert attempt.workspace.read("0.txt") == b"new 4\n"


def test_reads_do_not_pass_a_write(attempt: Attempt) -> None:
    turn = reply(
        use("read", "1", file_path="0.txt"),
        use("edit", "2", file_path="0.txt", old_string="0", new_string="1"),
        use("edit", "3", file_path="0.txt", old_string="1", new_string="2"),
        use("read", "4", file_path="0.txt"),
    )
    attempt.run(turn, DONE)
    first, _, _, last = told(attempt)
    assert "0" in first
    assert "2" in last
