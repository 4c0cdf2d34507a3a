"""Runs as text as root, around a command of another user who has no network but loopback.

Three processes: this one waits; the command and its children are the other user's for good; and so
is a guard, who makes the connections that they ask for, or refuses. The kernel hands it each
`connect` (seccomp), as a filter cannot read addresses. Whoever ends the guard has no connections.

Arguments: the descriptor to tell on what was refused, the user's id, whether the internet may be
reached (0 or 1), the command's words.
"""

from __future__ import annotations

import _thread
import array
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys

NO_NEW_PRIVILEGES, SUBREAPER = 38, 36
SET_FILTER, NEW_LISTENER = 1, 8
RECEIVE, SEND, IS_VALID = 0xC0502100, 0xC0182101, 0x40082102
PIDFD_OPEN, PIDFD_GETFD = 434, 438
NOTICE, ANSWER = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
# The kernel's name of an architecture, then: seccomp, socket, connect, sendto, sendmsg, sendmmsg.
ARCHITECTURES = {
    "x86_64": (0xC000003E, 317, 41, 42, 44, 46, 307),
    "aarch64": (0xC00000B7, 277, 198, 203, 206, 211, 269),
}
IO_URING_SETUP, FOREIGN_ABI = 425, 0x40000000
UNIX, NETLINK, INTERNET = 1, 16, (2, 10)
STREAM, TYPE_MASK, PROTOCOLS, FAST_OPEN = 1, 0xF, (0, 6), 0x20000000
LOAD, IS, IS_AT_LEAST, ANY_OF, MASK, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, REFUSE, KILL, ASK = 0x7FFF0000, 0x00050000 | errno.EACCES, 0x80000000, 0x7FC00000
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
LONGEST_ADDRESS = 128
NORMAL = (signal.SIGPIPE, signal.SIGXFSZ)

Row = tuple[int, int, int, int]


def argument(index: int) -> Row:
    return (LOAD, 0, 0, ARGUMENTS + 8 * index)


def without_fast_open(flags: int) -> list[Row]:
    """A message must not open a connection by the way."""
    return [
        argument(flags),
        (ANY_OF, 0, 1, FAST_OPEN),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]


def stream_alone() -> list[Row]:
    """Sockets of the internet must be of TCP, and of others only those that stay on the machine."""
    return [
        argument(0),
        (IS, 10, 0, UNIX),
        (IS, 9, 0, NETLINK),
        (IS, 1, 0, INTERNET[0]),
        (IS, 0, 6, INTERNET[1]),
        argument(1),
        (MASK, 0, 0, TYPE_MASK),
        (IS, 0, 3, STREAM),
        argument(2),
        (IS, 2, 0, PROTOCOLS[0]),
        (IS, 1, 0, PROTOCOLS[1]),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]


def program(machine: str) -> bytes:
    """As BPF: connections are asked about, everything that gets around that is refused."""
    architecture, _, create, connect, sendto, sendmsg, sendmmsg = ARCHITECTURES[machine]
    blocks = {
        create: stream_alone(),
        connect: [(RETURN, 0, 0, ASK)],
        sendto: without_fast_open(3),
        sendmsg: without_fast_open(2),
        sendmmsg: without_fast_open(3),
    }
    rows: list[Row] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (IS, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (IS_AT_LEAST, 1, 0, FOREIGN_ABI),
        (IS, 0, 1, IO_URING_SETUP),
        (RETURN, 0, 0, REFUSE),
    ]
    for number, block in blocks.items():
        rows += [(IS, 0, len(block), number), *block]
    rows.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def ask_before_connecting(libc: ctypes.CDLL) -> int:
    """From here on, for whatever this process becomes; gives where the questions arrive."""
    rows = program(os.uname().machine)
    buffer = ctypes.create_string_buffer(rows, len(rows))
    head = struct.pack("@HP", len(rows) // 8, ctypes.addressof(buffer))
    number = ARCHITECTURES[os.uname().machine][1]
    given = ctypes.create_string_buffer(head, len(head))
    return checked(libc.syscall(number, SET_FILTER, NEW_LISTENER, given))


def checked(result: int) -> int:
    if result < 0:
        sys.exit(f"fanfold: {os.strerror(ctypes.get_errno())}")
    return result


class Guard:
    """Answers the questions that arrive at `listener`, each in a thread of its own."""

    def __init__(self, libc: ctypes.CDLL, listener: int, report: int) -> None:
        self.libc, self.listener, self.report = libc, listener, report
        self.told: set[str] = set()

    def serve(self) -> None:
        while True:
            notice = bytearray(NOTICE.size)
            try:
                fcntl.ioctl(self.listener, RECEIVE, notice)
            except InterruptedError:
                continue
            except OSError as error:
                if error.errno == errno.ENOENT:
                    continue
                return
            _thread.start_new_thread(self.answer, (NOTICE.unpack(notice),))

    def answer(self, notice: tuple[int, ...]) -> None:
        number, process, descriptor, address, length = (notice[i] for i in (0, 1, 6, 7, 8))
        try:
            problem = self.connect(number, process, descriptor, address, length)
        except OSError as error:
            problem = error.errno or errno.EACCES
        reply = bytearray(ANSWER.pack(number, 0, -problem, 0))
        try:
            fcntl.ioctl(self.listener, SEND, reply)
        except OSError:
            return

    def connect(self, number: int, process: int, descriptor: int, address: int, length: int) -> int:
        """Connects the socket that the asker has; 0, or the number of the error it shall see."""
        with open(f"/proc/{process}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
            memory.seek(address)
            where = memory.read(min(length, LONGEST_ADDRESS))
        own = self.taken(process, descriptor)
        try:
            fcntl.ioctl(self.listener, IS_VALID, struct.pack("=Q", number))
            where = inside(where, process)
            if not is_local(where):
                self.tell(where)
                return errno.EACCES
            failed = self.libc.connect(own, where, len(where))
            return ctypes.get_errno() if failed else 0
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

    def tell(self, where: bytes) -> None:
        name = readable(where)
        if name not in self.told and len(self.told) < 100:
            self.told.add(name)
            os.write(self.report, f"address\t{name}\n".encode())


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
    checked(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    os.umask(0o022)


def start(libc: ctypes.CDLL, user: int, channel: socket.socket | None, words: list[str]) -> int:
    """The command; its questions arrive at what it sends over `channel`, None where it has none."""
    child = os.fork()
    if child == 0:
        become(libc, user)
        if channel:
            listener = ask_before_connecting(libc)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))
            channel.sendmsg([b"."], [rights])
            os.close(listener)
        # Python ignores these, and what it becomes would inherit that.
        for number in NORMAL:
            signal.signal(number, signal.SIG_DFL)
        os.execv(words[0], words)  # noqa: S606
    return child


def stand_guard(libc: ctypes.CDLL, user: int, channel: socket.socket, report: int) -> int:
    """The process that answers; it is the other user, who alone may look at its own memory."""
    child = os.fork()
    if child:
        return child
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
    channel.close()
    listener = array.array("i", ancillary[0][2])[0]
    become(libc, user)
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
