"""Run one command to its end: a deadline, output kept within bounds, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from fanfold.ports import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fanfold.ports import StopSignal

KEPT_BYTES = 2_000_000
TIMED_OUT, STOPPED = 124, 130
_CHUNK = 65536
_POLL_S, _ASK_S = 0.05, 0.2
_DRAIN_S = 1.0


class Deadline:
    """When a command must end: at a time, or as soon as `stop` says so."""

    def __init__(self, seconds: float, stop: StopSignal | None = None) -> None:
        self._at, self._stop = time.monotonic() + seconds, stop
        self._asked = time.monotonic()
        self.stopped = False

    @property
    def left(self) -> float:
        """Seconds, 0 when it must end; raises what `stop` raises."""
        now = time.monotonic()
        if self._stop is not None and now - self._asked >= _ASK_S:
            self._asked = now
            self.stopped = self.stopped or self._stop()
        return 0.0 if self.stopped else max(self._at - now, 0.0)


class Output:
    """The head and the tail of a stream, up to `limit` bytes; the rest is only counted."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._half = limit // 2
        self._head, self._tail, self._elided = bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[max(room, 0) :]
        over = len(self._tail) - self._half
        if over > _CHUNK:
            self._drop(over)

    def text(self) -> str:
        self._drop(max(len(self._tail) - self._half, 0))
        gap = b"\n[... %d bytes left out ...]\n" % self._elided if self._elided else b""
        return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace")

    def _drop(self, count: int) -> None:
        del self._tail[:count]
        self._elided += count


def run_bounded(
    command: Sequence[str],
    timeout_s: float,
    *,
    cwd: str,
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    sweep: Callable[[bool], None] | None = None,
    stop: StopSignal | None = None,
) -> CommandResult:
    """Run `command` in a process group of its own, which is killed at the deadline and at the end.

    `sweep` kills what the group does not hold; it is told whether the command had to be ended. The
    exit code is 124 after a timeout, 130 when `stop` said so, 128 + n after signal n.
    """
    start = time.monotonic()
    process = subprocess.Popen(  # noqa: S603
        list(command),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=tuple(pass_fds),
    )
    output, in_time = Output(), False
    deadline = Deadline(timeout_s, stop)
    try:
        in_time = _pump(process, output, deadline)
    finally:
        if sweep is not None:
            sweep(not in_time)
            _ends(process, Deadline(_DRAIN_S))
        _kill_group(process.pid)
        _pump(process, output, Deadline(_DRAIN_S), until_exit=False)
        if process.stdout is not None:
            process.stdout.close()
        process.wait()
    return CommandResult(
        exit_code=_code(process) if in_time else STOPPED if deadline.stopped else TIMED_OUT,
        output=output.text(),
        duration_s=time.monotonic() - start,
        timed_out=not in_time and not deadline.stopped,
        stopped=not in_time and deadline.stopped,
    )


def _code(process: subprocess.Popen[bytes]) -> int:
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _pump(
    process: subprocess.Popen[bytes],
    output: Output,
    deadline: Deadline,
    *,
    until_exit: bool = True,
) -> bool:
    """Move output until the process has ended; False when the deadline came first."""
    pipe = process.stdout
    if pipe is None or pipe.closed:
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := deadline.left) > 0:
            if selector.select(min(left, _POLL_S)):
                data = os.read(pipe.fileno(), _CHUNK)
                if not data:
                    return _ends(process, deadline) if until_exit else True
                output.add(data)
            elif until_exit and process.poll() is not None:
                return True
    return False


def _ends(process: subprocess.Popen[bytes], deadline: Deadline) -> bool:
    """Wait for a process that has closed its output."""
    while process.poll() is None:
        if (left := deadline.left) <= 0:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(left, _ASK_S))
    return True


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
