"""Runs as text inside bubblewrap: carries out commands, each in a room of its own.

A room is a process, the first of its own namespaces, that waits for one command: it answers its
look-ups, relays to the proxy, tells what the command was kept from, and ends all that it began
before it says that it has ended. While a command runs, the room for the next one is made. Where no
namespaces can be made in here, bubblewrap's own are the one room.

Arguments: a socket to hear of commands on. Each comes as descriptors: a socket for its words and
for what is told of it, where its output goes, and the folder of a proxy if there is one.
"""

from __future__ import annotations

import array
import ctypes
import errno
import marshal
import os
import resource
import select
import signal
import socket
import sys

from fanfold.adapters.local import lookups, room, seccomp
from fanfold.adapters.local.attendant import Attendant, reaped, wakened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADER, CONFIG_BYTES, MOST_DESCRIPTORS = 4, 1 << 20, 1 << 20
SUBREAPER, DIE_WITH_PARENT = 36, 1
NORMAL = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16)
NOT_STARTED = 126
Ancillary = list[tuple[int, int, bytes]]
# To ask about what is forbidden, so that it is told; else to refuse it.
VERDICTS = (seccomp.ASK, seccomp.REFUSE | errno.EPERM)


class Warden:
    """What rooms are made of: `told` has the places to be empty, their size, the user to be."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.told = told
        self.empty = room.mounted_below(told["empty"])
        self.filters = (
            [without_forbidden(verdict) for verdict in VERDICTS] if seccomp.is_known() else []
        )

    def keep_rooms(self, control: socket.socket) -> None:
        """One room ahead, until nobody has come for long, or who sends commands is gone."""
        own = os.open("/proc/self/ns/pid", os.O_RDONLY)
        waking = wakened()
        process, door = self.make_room(control, own)
        while ready := select.select([control, waking], [], [], self.told["idle_s"])[0]:
            if waking in ready:
                os.read(waking, 4096)
                if process in reaped():
                    seccomp.die("a room has ended before its command")
            if control in ready:
                data, ancillary = received(control)
                if not data:
                    return
                door.sendmsg([data], ancillary)
                for descriptor in descriptors(ancillary):
                    os.close(descriptor)
                door.close()
                process, door = self.make_room(control, own)

    def make_room(self, control: socket.socket, own: int) -> tuple[int, socket.socket]:
        """A process that waits for a command, and where to send it."""
        seccomp.checked(self.libc.setns(own, room.NEW_PIDS))
        seccomp.checked(self.libc.unshare(room.NEW_PIDS))
        outside, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = os.fork()
        if process:
            inside.close()
            return process, outside
        try:
            self.libc.prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
            for end in (control, outside):
                end.close()
            self.serve(inside, self.furnish())
        except OSError as error:
            seccomp.die(error)
        os._exit(0)

    def furnish(self) -> int:
        """Enter namespaces; gives /proc/sys, to be written."""
        room.enter_namespaces(self.libc)
        kernel = room.furnish(self.libc, self.empty, self.told["size"])
        lookups.raise_loopback()
        return kernel

    def serve(self, requests: socket.socket, kernel: int | None) -> None:
        """Carry out the one command that comes; `kernel` only where this is a room."""
        names = None if kernel is None else lookups.name_server()
        waking = wakened()
        self.libc.prctl(SUBREAPER, 1, 0, 0, 0)
        self.libc.prctl(room.DUMPABLE, 0, 0, 0, 0)
        places = descriptors(received(requests)[1])
        if not places:
            return
        life, output, folders = socket.socket(fileno=places[0]), places[1], places[2:]
        life.sendall(b"begun\n")
        length = int.from_bytes(exactly(life, HEADER), "big")
        order = marshal.loads(exactly(life, length))  # noqa: S302 — from the harness alone
        proxy = socket.create_server(("127.0.0.1", lookups.PORT)) if folders else None
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            self.become(order, output, theirs, kernel)
        room.give_up_own_capabilities(self.libc)
        theirs.close()
        os.close(output)
        attendant = Attendant(life, ours, names)
        if proxy:
            attendant.relay(proxy, folders[0])
        attendant.attend(child, waking)

    def become(
        self, order: dict[str, Any], output: int, channel: socket.socket, kernel: int | None
    ) -> None:
        """The command, with nothing of ours: never returns."""
        try:
            self.libc.prctl(room.DUMPABLE, 1, 0, 0, 0)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if kernel is not None:
                user, group = self.told["user"], self.told["group"]
                room.enter_last_user_namespace(self.libc, user, group, kernel)
            self.stay_inside(channel)
            self.limit()
            os.closerange(3, MOST_DESCRIPTORS)
            # Python ignores these, and what it becomes would inherit that.
            signal.set_wakeup_fd(-1)
            for number in NORMAL:
                signal.signal(number, signal.SIG_DFL)
            os.chdir(self.told["folder"])
            os.execve(order["words"][0], order["words"], order["environ"])  # noqa: S606
        except (OSError, ValueError) as error:
            os.write(2, f"fanfold: cannot start the command: {error}\n".encode())
        os._exit(NOT_STARTED)

    def stay_inside(self, channel: socket.socket) -> None:
        if not self.filters:
            return
        asking, refusing = self.filters
        try:
            listener = seccomp.install(self.libc, asking, seccomp.NEW_LISTENER)
        except OSError:
            # Somebody around us listens already, or the kernel is old.
            seccomp.install(self.libc, refusing)
            return
        seccomp.hand_over(channel, listener)

    def limit(self) -> None:
        """No more than that for the command; what is rather killed than this machine's user's."""
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("1000")
        for name, value in self.told["limits"].items():
            kind = getattr(resource, f"RLIMIT_{name}")
            most = resource.getrlimit(kind)[1]
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(kind, (value, value))


def without_forbidden(verdict: int) -> bytes:
    """A filter that decides so on calls that lead out.

    Those for sockets of families that no namespace of a network holds, such as vsock, do too.
    """
    rows = [
        seccomp.argument(0),
        *((seccomp.IS, len(FAMILIES) - index, 0, f) for index, f in enumerate(FAMILIES)),
        (seccomp.RETURN, 0, 0, verdict),
        (seccomp.RETURN, 0, 0, seccomp.ALLOW),
    ]
    return seccomp.program({seccomp.number("socket"): rows}, verdict)


def received(source: socket.socket) -> tuple[bytes, Ancillary]:
    """What came, with three descriptors at most, none of which a command inherits."""
    data, ancillary, _, _ = source.recvmsg(1, socket.CMSG_SPACE(12), socket.MSG_CMSG_CLOEXEC)
    return data, ancillary


def descriptors(ancillary: Ancillary) -> list[int]:
    found = array.array("i")
    for _, _, data in ancillary:
        found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found.tolist()


def exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            os._exit(1)
        data += more
    return data


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    told = marshal.loads(control.recv(CONFIG_BYTES))  # noqa: S302
    warden = Warden(told)
    try:
        room.lay_over(warden.libc, told["folder"], told["overlays"])
        if told["rooms"]:
            warden.keep_rooms(control)
        else:
            warden.serve(control, None)
    except OSError as error:
        seccomp.die(error)


if __name__ == "__main__":
    # Not by the usual way out, which would wait for what threads relay.
    main()
    os._exit(0)
