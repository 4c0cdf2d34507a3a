"""What goes on around a command while it runs: one loop over all that may ask for something.

Runs as text inside a sandbox.
"""

from __future__ import annotations

import _thread
import errno
import os
import select
import signal
import socket

from fanfold.adapters.local import lookups, seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 300


class Attendant:
    """Tells over `life` what the command is kept from, and ends it when nobody listens there.

    `channel` brings where its forbidden calls arrive, `names` its look-ups.
    """

    def __init__(
        self, life: socket.socket, channel: socket.socket, names: socket.socket | None
    ) -> None:
        self.life, self.channel, self.names = life, channel, names
        self.known: set[tuple[str, str]] = set()
        self.waits: dict[int, Callable[[], None]] = {}
        self.poll = select.poll()
        self.wait_for(life.fileno(), self.hear)
        self.wait_for(channel.fileno(), self.listen)
        if names:
            self.wait_for(names.fileno(), self.refuse_name)

    def wait_for(self, descriptor: int, then: Callable[[], None]) -> None:
        self.waits[descriptor] = then
        self.poll.register(descriptor, select.POLLIN)

    def relay(self, server: socket.socket, folder: int) -> None:
        """Every connection to `server` on to the socket in `folder`, which lies outside."""

        def accepted() -> None:
            inside = server.accept()[0]
            outside = socket.socket(socket.AF_UNIX)
            try:
                outside.connect(f"/proc/self/fd/{folder}/socket")
            except OSError:
                inside.close()
                return
            for ends in ((inside, outside), (outside, inside)):
                _thread.start_new_thread(lookups.pump, ends)

        self.wait_for(server.fileno(), accepted)

    def attend(self, child: int, waking: int) -> None:
        """Until `child` has ended, and with it all that it began; then tells so."""
        code: int | None = None
        self.poll.register(waking, select.POLLIN)
        while code is None:
            for ready, how in self.poll.poll():
                if ready == waking:
                    os.read(waking, 4096)
                    code = reaped().get(child, code)
                elif how & select.POLLIN:
                    self.waits[ready]()
                else:
                    self.poll.unregister(ready)
        if alive := left_over():
            self.tell("left_over", str(alive))
        end_all()
        self.tell("ended", str(code if code >= 0 else 128 - code))

    def tell(self, kind: str, subject: str) -> None:
        """A line for each subject, in which the command may have put what looks like another."""
        plain = "".join(c if c.isprintable() else "?" for c in subject[:LONGEST])
        if (kind, plain) in self.known or (len(self.known) > lookups.MOST and kind != "ended"):
            return
        self.known.add((kind, plain))
        try:
            self.life.sendall(f"{kind}\t{plain}\n".encode())
        except OSError:
            kill_all()

    def hear(self) -> None:
        if not self.life.recv(1):
            self.poll.unregister(self.life)
            kill_all()

    def listen(self) -> None:
        self.poll.unregister(self.channel)
        listener = seccomp.handed_over(self.channel)
        if listener is not None:
            self.wait_for(listener, lambda: self.refuse_call(listener))

    def refuse_call(self, listener: int) -> None:
        question = seccomp.received(listener)
        if question is None:
            return
        names, call = seccomp.forbidden(), question[2]
        self.tell("system_call", names.get(call) or f"socket of family {question[3] & 0xFFFFFFFF}")
        problem = errno.EPERM if call in names else errno.EAFNOSUPPORT
        seccomp.answer(listener, question[0], problem)

    def refuse_name(self) -> None:
        if self.names:
            name = lookups.refuse(self.names)
            if name:
                self.tell("host", name)


def wakened() -> int:
    """A descriptor that can be read when a child has ended."""
    waking, wake = os.pipe()
    os.set_blocking(waking, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, heard)
    signal.set_wakeup_fd(wake)
    return waking


def heard(number: int, frame: object) -> None:
    """That it is told by a descriptor is all that is wanted."""


def reaped() -> dict[int, int]:
    """The children that have ended, with their exit codes."""
    found: dict[int, int] = {}
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found[ended[0]] = os.waitstatus_to_exitcode(ended[1])
    except ChildProcessError:
        pass
    return found


def kill_all() -> None:
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_all() -> None:
    """All processes but this one: nobody is left when this returns."""
    while True:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return
        try:
            while True:
                os.wait()
        except ChildProcessError:
            continue


def left_over() -> int:
    """Processes that the command leaves behind."""
    alive = 0
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    alive += file.read().rpartition(b")")[2].split()[0] not in b"ZX"
            except OSError:
                continue
    return alive
