"""Commands that a model wrote, in a place that has nothing but them: a function without rights."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.adapters.local.sandbox import NoSandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanfold.ports import CommandResult, StopSignal

_ROUNDS = 100
_PR_SET_CHILD_SUBREAPER = 36


class Alone:
    """`ports.Sandbox` where the place itself is one, and no other user can be had.

    The environment is clean, limits hold, and no process that a command began outlives it, whatever
    it calls itself: what loses its parent becomes a child of this process.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._inner = NoSandbox(environ)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def run(
        self,
        command: str,
        root: str,
        timeout_s: float,
        *,
        stop: StopSignal | None = None,
        hosts: Sequence[str] | None = None,
    ) -> CommandResult:
        before = _descendants()
        try:
            return self._inner.run(command, root, timeout_s, stop=stop, hosts=hosts)
        finally:
            _end_all_but(before)


def _descendants() -> set[int]:
    """The processes that this one began, or that theirs did."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = int(entry.read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found: set[int] = set()
    pending = [os.getpid()]
    while pending:
        fresh = set(children.get(pending.pop(), ())) - found
        found |= fresh
        pending += fresh
    return found


def _end_all_but(before: set[int]) -> None:
    """Round by round, as a process may begin another while it is being ended."""
    for _ in range(_ROUNDS):
        strangers = _descendants() - before
        if not strangers:
            return
        for process in strangers:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)
