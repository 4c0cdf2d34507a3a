"""Runs as text as root, around a command of another user who has no network but loopback.

Three processes: this one waits; the command and its children are the other user's for good; and so
is a guard, who makes the connections that they ask for, or refuses. The kernel hands it each
`connect` (seccomp), as a filter cannot read addresses. Whoever ends the guard has no connections.

Arguments: the descriptor to tell on what was refused, the user's id, whether the internet may be
reached (0 or 1), the command's words. Without words loopback is tried: 0 where it is reached.
"""

from __future__ import annotations

import _thread
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys

from fanfold.adapters.local import seccomp
from fanfold.adapters.local.seccomp import ALLOW, ANY_OF, ASK, IS, MASK, REFUSE, RETURN, Row

NO_NEW_PRIVILEGES, SUBREAPER, DUMPABLE = 38, 36, 4
PIDFD_OPEN, PIDFD_GETFD = 434, 438
UNIX, NETLINK, INTERNET = 1, 16, (2, 10)
STREAM, TYPE_MASK, PROTOCOLS, FAST_OPEN = 1, 0xF, (0, 6), 0x20000000
REFUSED = (RETURN, 0, 0, REFUSE | errno.EACCES)
LONGEST_ADDRESS, MOST_TOLD = 128, 100
NORMAL = (signal.SIGPIPE, signal.SIGXFSZ)


def without_fast_open(flags: int) -> list[Row]:
    """A message must not open a connection by the way."""
    return [
        seccomp.argument(flags),
        (ANY_OF, 0, 1, FAST_OPEN),
        REFUSED,
        (RETURN, 0, 0, ALLOW),
    ]


def stream_alone() -> list[Row]:
    """Sockets of the internet must be of TCP, and of others only those that stay on the machine."""
    return [
        seccomp.argument(0),
        (IS, 10, 0, UNIX),
        (IS, 9, 0, NETLINK),
        (IS, 1, 0, INTERNET[0]),
        (IS, 0, 6, INTERNET[1]),
        seccomp.argument(1),
        (MASK, 0, 0, TYPE_MASK),
        (IS, 0, 3, STREAM),
        seccomp.argument(2),
        (IS, 2, 0, PROTOCOLS[0]),
        (IS, 1, 0, PROTOCOLS[1]),
        REFUSED,
        (RETURN, 0, 0, ALLOW),
    ]


def program() -> bytes:
    """Connections are asked about, everything that gets around that is refused."""
    blocks = {
        "socket": stream_alone(),
        "connect": [(RETURN, 0, 0, ASK)],
        "sendto": without_fast_open(3),
        "sendmsg": without_fast_open(2),
        "sendmmsg": without_fast_open(3),
    }
    return seccomp.program({seccomp.number(call): rows for call, rows in blocks.items()}, ASK)


class Guard:
    """Answers the questions that arrive at `listener`, each in a thread of its own."""

    def __init__(self, libc: ctypes.CDLL, listener: int, report: int) -> None:
        self.libc, self.listener, self.report = libc, listener, report
        self.told: set[tuple[str, str]] = set()

    def serve(self) -> None:
        """Until nobody is left to ask."""
        try:
            while True:
                question = seccomp.received(self.listener)
                if question is not None:
                    _thread.start_new_thread(self.answer, (question,))
        except OSError:
            return

    def answer(self, question: tuple[int, ...]) -> None:
        number, process, call, descriptor, address, length = question[:6]
        name = seccomp.forbidden().get(call)
        if name:
            self.tell("system_call", name)
            seccomp.answer(self.listener, number, errno.EPERM)
            return
        try:
            problem = self.connect(number, process, descriptor, address, length)
        except OSError as error:
            problem = error.errno or errno.EACCES
        seccomp.answer(self.listener, number, problem)

    def connect(self, number: int, process: int, descriptor: int, address: int, length: int) -> int:
        """Connects the socket that the asker has; 0, or the number of the error it shall see."""
        with open(f"/proc/{process}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
            memory.seek(address)
            where = memory.read(min(length, LONGEST_ADDRESS))
        own = self.taken(process, descriptor)
        try:
            fcntl.ioctl(self.listener, seccomp.IS_VALID, struct.pack("=Q", number))
            where = inside(where, process)
            if not is_local(where):
                self.tell("address", readable(where))
                return errno.EACCES
            if self.libc.connect(own, where, len(where)):
                return ctypes.get_errno()
            if family(where) == UNIX and is_strangers(own):
                self.tell("address", "a socket of another user's")
                return errno.EACCES
            return 0
        finally:
            os.close(own)

    def taken(self, process: int, descriptor: int) -> int:
        leader = int(field_of(str(process), b"Tgid:"))
        handle = self.libc.syscall(PIDFD_OPEN, leader, 0)
        if handle < 0:
            raise OSError(errno.EACCES, "no such process")
        try:
            own = self.libc.syscall(PIDFD_GETFD, handle, descriptor, 0)
        finally:
            os.close(handle)
        if own < 0:
            raise OSError(ctypes.get_errno(), "no such socket")
        return own

    def tell(self, kind: str, subject: str) -> None:
        if (kind, subject) not in self.told and len(self.told) < MOST_TOLD:
            self.told.add((kind, subject))
            os.write(self.report, f"{kind}\t{subject}\n".encode())


def is_strangers(descriptor: int) -> bool:
    """Whether another user listens at a socket's other end; then nothing passes any more."""
    with socket.socket(fileno=os.dup(descriptor)) as own:
        credentials = own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        if struct.unpack("=iII", credentials)[1] == os.getuid():
            return False
        own.shutdown(socket.SHUT_RDWR)
        return True


def family(where: bytes) -> int:
    return struct.unpack_from("=H", where)[0] if len(where) >= 2 else -1


def inside(where: bytes, process: int) -> bytes:
    """A relative path of a socket, as seen from here."""
    path = where[2:].split(b"\0")[0]
    if family(where) != UNIX or not path or path.startswith(b"/"):
        return where
    return where[:2] + f"/proc/{process}/cwd/".encode() + path + b"\0"


def is_local(where: bytes) -> bool:
    """Whether an address leads nowhere but to this machine; the family 0 undoes a connection."""
    kind = family(where)
    if kind == INTERNET[0]:
        return where[4:5] == b"\x7f"
    if kind == INTERNET[1]:
        own, mapped = bytes(15) + b"\1", bytes(10) + b"\xff\xff\x7f"
        return where[8:24] == own or where[8:21] == mapped
    return kind in (0, UNIX, NETLINK)


def readable(where: bytes) -> str:
    port = struct.unpack_from("!H", where, 2)[0]
    if family(where) == INTERNET[0]:
        return f"{socket.inet_ntop(socket.AF_INET, where[4:8])}:{port}"
    if family(where) == INTERNET[1] and len(where) >= 24:
        return f"[{socket.inet_ntop(socket.AF_INET6, where[8:24])}]:{port}"
    return f"family {family(where)}"


def become(libc: ctypes.CDLL, user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    seccomp.checked(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    os.umask(0o022)


def start(libc: ctypes.CDLL, user: int, channel: socket.socket | None, words: list[str]) -> int:
    """The command; its questions arrive at what it sends over `channel`, None where it has none."""
    child = os.fork()
    if child == 0:
        become(libc, user)
        if channel:
            listener = seccomp.install(libc, program(), seccomp.NEW_LISTENER)
            seccomp.hand_over(channel, listener)
        elif seccomp.is_known():
            seccomp.install(libc, seccomp.program({}, REFUSE | errno.EPERM))
        if not words:
            try_loopback(libc)
        # Python ignores these, and what it becomes would inherit that.
        for number in NORMAL:
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(words[0], words)  # noqa: S606
    return child


def try_loopback(libc: ctypes.CDLL) -> None:
    """As a program would, which can be looked at when it has just been started."""
    libc.prctl(DUMPABLE, 1, 0, 0, 0)
    server = socket.create_server(("127.0.0.1", 0))
    own = socket.socket()
    own.settimeout(2)
    os._exit(min(own.connect_ex(server.getsockname()), 1))


def stand_guard(libc: ctypes.CDLL, user: int, channel: socket.socket, report: int) -> int:
    """The process that answers; it is the other user, who alone may look at its own memory."""
    child = os.fork()
    if child:
        return child
    listener = seccomp.handed_over(channel)
    channel.close()
    become(libc, user)
    if listener is not None:
        Guard(libc, listener, report).serve()
    os._exit(0)


def field_of(process: str, name: bytes) -> bytes:
    """The first word of a line of its status; the number of a thread names a process too."""
    with open(f"/proc/{process}/status", "rb") as file:  # noqa: PTH123
        return next(line.split()[1] for line in file if line.startswith(name))


def processes_of(user: int) -> list[int]:
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            ended = field_of(name, b"State:") in (b"Z", b"X")
            if int(field_of(name, b"Uid:")) == user and not ended:
                found.append(int(name))
        except OSError:
            continue
    return found


def wait_for(child: int) -> int:
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


def main() -> int:
    report, user, online = map(int, sys.argv[1:4])
    os.set_inheritable(report, False)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(SUBREAPER, 1, 0, 0, 0)
    ours, theirs = socket.socketpair()
    guard = 0 if online else stand_guard(libc, user, ours, report)
    child = start(libc, user, None if online else theirs, sys.argv[4:])
    for end in (ours, theirs):
        end.close()
    code = wait_for(child)
    alive = [process for process in processes_of(user) if process != guard]
    if alive:
        os.write(report, f"left_over\t{len(alive)}\n".encode())
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    # Not by the usual way out, which would wait for what is left.
    os._exit(main())
