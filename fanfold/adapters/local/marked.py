"""Processes that have left their group, found by a mark in their environment."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "FANFOLD_COMMAND"


def kill_marked(mark: str) -> None:
    """Kill what left the process group, by the mark in its environment, until none is left."""
    wanted = f"{MARK}={mark}".encode()
    for _ in range(100):
        found = [process for process in _processes() if wanted in _environment_of(process)]
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if not found:
            return


def _processes() -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError):
        yield from map(int, filter(str.isdigit, os.listdir("/proc")))  # noqa: PTH208


def _environment_of(process: int) -> list[bytes]:
    """Asked of every process after every command, so without the cost of a `Path`."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/environ", "rb", buffering=0) as file:  # noqa: PTH123
        return file.readall().split(b"\0")
    return []
