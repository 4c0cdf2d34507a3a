"""Run one command to its end: a deadline, output kept within bounds, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Protocol, Self

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


class Running(Protocol):
    """A command that runs: where its output comes from, and how it ends."""

    @property
    def output(self) -> int: ...  # a descriptor to read
    @property
    def signal(
        self,
    ) -> int | None: ...  # to wait for its end; None: ask now and then
    def has_ended(self) -> bool: ...
    def end(self, *, late: bool) -> None: ...  # also what it left behind
    @property
    def code(self) -> int: ...


def watched(running: Running, timeout_s: float, stop: StopSignal | None = None) -> CommandResult:
    """Wait for a command, and end it at the deadline or when `stop` says so.

    The exit code is 124 after a timeout, 130 when `stop` said so, 128 + n after signal n.
    """
    start = time.monotonic()
    output, in_time = Output(), False
    deadline = Deadline(timeout_s, stop)
    try:
        in_time = _pump(running, output, deadline)
    finally:
        running.end(late=not in_time)
        _drain(running.output, output)
    return CommandResult(
        exit_code=running.code if in_time else STOPPED if deadline.stopped else TIMED_OUT,
        output=output.text(),
        duration_s=time.monotonic() - start,
        timed_out=not in_time and not deadline.stopped,
        stopped=not in_time and deadline.stopped,
    )


def run_bounded(
    command: Sequence[str],
    timeout_s: float,
    *,
    cwd: str,
    env: Mapping[str, str],
    stdin: IO[bytes] | None = None,
    pass_fds: Sequence[int] = (),
    sweep: Callable[[], None] | None = None,
    stop: StopSignal | None = None,
) -> CommandResult:
    """Run `command` in a process group of its own, which is killed at the deadline and at the end.

    `sweep` kills what the group does not hold. The result is that of `watched`.
    """
    process = subprocess.Popen(  # noqa: S603
        list(command),
        cwd=cwd,
        env=dict(env),
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=tuple(pass_fds),
    )
    with _Group(process, sweep) as group:
        return watched(group, timeout_s, stop)


class _Group:
    """`Running`: a process with its group."""

    def __init__(self, process: subprocess.Popen[bytes], sweep: Callable[[], None] | None) -> None:
        self._process, self._sweep = process, sweep
        self.signal: int | None = None

    def __enter__(self) -> Self:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                self.signal = os.pidfd_open(self._process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self.signal is not None:
            os.close(self.signal)

    @property
    def output(self) -> int:
        return self._process.stdout.fileno() if self._process.stdout else -1

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def end(self, *, late: bool) -> None:  # noqa: ARG002
        if self._sweep is not None:
            self._sweep()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_DRAIN_S)
        _kill_group(self._process.pid)

    @property
    def code(self) -> int:
        code = self._process.wait()
        return code if code >= 0 else 128 - code


def _pump(running: Running, output: Output, deadline: Deadline) -> bool:
    """Move output until the command has ended; False when the deadline came first."""
    with selectors.DefaultSelector() as selector:
        selector.register(running.output, selectors.EVENT_READ)
        if running.signal is not None:
            selector.register(running.signal, selectors.EVENT_READ)
        longest = _POLL_S if running.signal is None else _ASK_S
        while (left := deadline.left) > 0:
            ready = {key.fd for key, _ in selector.select(min(left, longest))}
            if running.output in ready:
                data = os.read(running.output, _CHUNK)
                if data:
                    output.add(data)
                    continue
                selector.unregister(running.output)
            if (running.signal is None or running.signal in ready) and running.has_ended():
                return True
    return False


def _drain(source: int, output: Output) -> None:
    """What is left in a pipe whose writers have been ended."""
    deadline = Deadline(_DRAIN_S)
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        while (left := deadline.left) > 0:
            if selector.select(left):
                data = os.read(source, _CHUNK)
                if not data:
                    return
                output.add(data)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
