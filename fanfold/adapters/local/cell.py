"""Sandboxes that stand ready for the commands of a tree, each of which gets a room of its own."""

from __future__ import annotations

import array
import contextlib
import marshal
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from fanfold.adapters.local.bounded import watched
from fanfold.errors import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fanfold.ports import CommandResult, StopSignal

_KILLED = 128 + signal.SIGKILL
_END_S = 5.0
_SAID = 300


class Order(NamedTuple):
    """A command to be carried out; `proxy` is the folder of the proxy that it may use."""

    words: Sequence[str]
    environ: Mapping[str, str]
    timeout_s: float
    stop: StopSignal | None = None
    proxy: Path | None = None


class Outcome(NamedTuple):
    """How a command ended, and the lines that the sandbox told of it."""

    result: CommandResult
    told: bytes


class Cell:
    """A bubblewrap with a warden in it, which takes commands over a socket.

    It ends with this process, when it is closed, or when nobody comes for long.
    """

    def __init__(
        self,
        start: Callable[[Sequence[int], IO[bytes]], subprocess.Popen[bytes]],
        told: Mapping[str, object],
    ) -> None:
        """`start` gets the descriptors of the warden's socket and of a file for bubblewrap's
        status, and a file for what goes wrong; `told` is what the warden is told.
        """
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._status = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            self._process = start((theirs.fileno(), self._status.fileno()), self._log)
        held = (self._process, self._control, self._log, self._status)
        self._finalizer = weakref.finalize(self, _close, *held)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.sendall(marshal.dumps(dict(told)))

    def carry_out(self, order: Order) -> Outcome | None:
        """None when the cell was gone before the command could begin."""
        with contextlib.ExitStack() as stack:
            life, theirs = (stack.enter_context(end) for end in socket.socketpair())
            output, into = os.pipe()
            stack.callback(os.close, output)
            places = [theirs.fileno(), into]
            if order.proxy is not None:
                places.append(os.open(order.proxy, os.O_PATH | os.O_DIRECTORY))
            try:
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", places))
                self._control.sendmsg([b"."], [rights])
            except (BrokenPipeError, ConnectionResetError):
                return None
            finally:
                theirs.close()
                for descriptor in places[1:]:
                    os.close(descriptor)
            request = marshal.dumps({"words": list(order.words), "environ": dict(order.environ)})
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                life.sendall(len(request).to_bytes(4, "big") + request)
            command = _Command(self, life, output)
            result = watched(command, order.timeout_s, order.stop)
            unheard = not (command.begun or result.timed_out or result.stopped)
            return None if unheard else Outcome(result, command.told)

    def why(self) -> str:
        """What was said of a failure to start."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace").strip()[-_SAID:]

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """End all that is in it, at once."""
        _kill(self._process, self._status)
        self._process.wait()

    def close(self) -> None:
        self._finalizer()


class _Command:
    """`Running`: a command in a room of a cell, of which the room tells over a socket."""

    def __init__(self, cell: Cell, life: socket.socket, output: int) -> None:
        self._cell, self._life, self.output = cell, life, output
        self._heard, self._open = b"", True
        life.setblocking(False)

    @property
    def signal(self) -> int:
        return self._life.fileno()

    @property
    def begun(self) -> bool:
        return self._heard.startswith(b"begun\n")

    @property
    def told(self) -> bytes:
        return self._heard.partition(b"\nended\t")[0] + b"\n"

    def has_ended(self) -> bool:
        try:
            data = self._life.recv(65536)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            data = b""
        self._heard += data
        self._open = bool(data)
        return self._is_over or not self._open

    def end(self, *, late: bool) -> None:
        """Where the room does not say that all has ended, its cell ends with it."""
        if self._is_over:
            return
        if late:
            self._life.shutdown(socket.SHUT_WR)
            self._life.settimeout(_END_S)
            with contextlib.suppress(TimeoutError):
                while not self.has_ended():
                    pass
        if not self._is_over and (self.begun or late):
            self._cell.kill()

    @property
    def code(self) -> int:
        found = re.search(rb"^ended\t(\d+)\n", self._heard, re.MULTILINE)
        return int(found[1]) if found else _KILLED

    @property
    def _is_over(self) -> bool:
        return b"\nended\t" in self._heard and self._heard.endswith(b"\n")


class Cells:
    """The cells of a sandbox, one for each tree; `start` makes one.

    With `reused` it takes any number of commands, else one.
    """

    def __init__(self, start: Callable[[Path], Cell], *, reused: bool) -> None:
        self._start, self.reused = start, reused
        self._lock = threading.Lock()
        self._ready: dict[tuple[str, int, int, bool], Cell] = {}

    def carry_out(self, root: Path, order: Order) -> Outcome:
        """Raises `SandboxUnavailable` when no cell could be had."""
        cell, fresh = self._taken(root)
        outcome = cell.carry_out(order)
        if outcome is None and not fresh:
            self._forget(root, cell)
            cell, _ = self._taken(root)
            outcome = cell.carry_out(order)
        if outcome is None:
            said = cell.why()
            self._forget(root, cell)
            raise SandboxUnavailable(f"the sandbox did not start ({said}): see `fanfold doctor`")
        if not self.reused:
            self._keep(root, self._start(root))
        return outcome

    def _taken(self, root: Path) -> tuple[Cell, bool]:
        """A cell for a command, and whether it has only begun to be made."""
        key = _key(root)
        with self._lock:
            known = self._ready.get(key) if self.reused else self._ready.pop(key, None)
            cell = known or self._start(root)
        if self.reused and not known:
            self._keep(root, cell)
        return cell, known is None

    def _forget(self, root: Path, cell: Cell) -> None:
        with self._lock:
            if self._ready.get(_key(root)) is cell:
                del self._ready[_key(root)]
        cell.close()

    def _keep(self, root: Path, cell: Cell) -> None:
        """The cell in place of an older one; those whose tree is gone are closed."""
        with self._lock:
            gone = [key for key, old in self._ready.items() if old.is_over or not _is_there(key)]
            over = [self._ready.pop(key) for key in gone]
            self._ready[_key(root)] = cell
        for old in over:
            old.close()


def _key(root: Path) -> tuple[str, int, int, bool]:
    """The tree itself, not whatever comes to be at its path; what is `.git` is mounted as such."""
    status = root.stat()
    return str(root), status.st_dev, status.st_ino, (root / ".git").is_dir()


def _is_there(key: tuple[str, int, int, bool]) -> bool:
    with contextlib.suppress(OSError):
        return _key(Path(key[0])) == key
    return False


def _kill(process: subprocess.Popen[bytes], status: IO[bytes]) -> None:
    """Kill the sandbox's first process; bubblewrap itself ends when all others are gone."""
    if process.poll() is None:
        status.seek(0)
        found = re.search(rb'"child-pid": *(\d+)', status.read())
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(found[1]) if found else process.pid, signal.SIGKILL)


def _close(
    process: subprocess.Popen[bytes], control: socket.socket, log: IO[bytes], status: IO[bytes]
) -> None:
    control.close()
    _kill(process, status)
    process.wait()
    log.close()
    status.close()
