"""Filters of system calls, and the questions that a filter asks; runs as text inside a sandbox."""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys

SET_FILTER, NEW_LISTENER = 1, 8
RECEIVE, SEND, IS_VALID = 0xC0502100, 0xC0182101, 0x40082102
NOTICE, ANSWER = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
# The kernel's own name for each, then the numbers of the calls that filters speak of.
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CALLS = {
    "x86_64": {
        **{"seccomp": 317, "socket": 41, "connect": 42, "sendto": 44, "sendmsg": 46},
        **{"sendmmsg": 307, "keyctl": 250, "add_key": 248, "request_key": 249, "bpf": 321},
        **{
            "unshare": 272,
            "clone": 56,
            "userfaultfd": 323,
            "perf_event_open": 298,
            "syslog": 103,
            "open_by_handle_at": 304,
        },
    },
    "aarch64": {
        **{"seccomp": 277, "socket": 198, "connect": 203, "sendto": 206, "sendmsg": 211},
        **{"sendmmsg": 269, "keyctl": 219, "add_key": 217, "request_key": 218, "bpf": 280},
        **{
            "unshare": 97,
            "clone": 220,
            "userfaultfd": 282,
            "perf_event_open": 241,
            "syslog": 116,
            "open_by_handle_at": 265,
        },
    },
}
# What no build needs, and what shares the kernel's own state with who is outside.
FORBIDDEN = (
    *("keyctl", "add_key", "request_key", "bpf", "userfaultfd", "perf_event_open", "syslog"),
    *("open_by_handle_at",),
)
IO_URING_SETUP, CLONE_BY_MEMORY, FOREIGN_ABI = 425, 435, 0x40000000
NEW_USERS = 0x10000000
LOAD, IS, IS_AT_LEAST, ANY_OF, MASK, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, REFUSE, KILL, ASK = 0x7FFF0000, 0x00050000, 0x80000000, 0x7FC00000
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16

Row = tuple[int, int, int, int]


def is_known() -> bool:
    """Whether filters can be written for this machine."""
    return os.uname().machine in ARCHITECTURES


def number(call: str) -> int:
    return CALLS[os.uname().machine][call]


def forbidden() -> dict[int, str]:
    """The numbers of what is forbidden, with names."""
    return {number(call): call for call in (*FORBIDDEN, "unshare")}


def argument(index: int) -> Row:
    return (LOAD, 0, 0, ARGUMENTS + 8 * index)


def without_new_users(verdict: int) -> list[Row]:
    """Who is root in a namespace of users reaches much more of the kernel."""
    rest = [(RETURN, 0, 0, verdict), (RETURN, 0, 0, ALLOW)]
    return [argument(0), (ANY_OF, 0, 1, NEW_USERS), *rest]


def program(blocks: dict[int, list[Row]], verdict: int) -> bytes:
    """As BPF: `blocks` decide on single calls, and `verdict` is on what is forbidden.

    Rings get around filters, and so do numbers of another ABI and what is told through memory: here
    there are none.
    """
    rows: list[Row] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (IS, 1, 0, ARCHITECTURES[os.uname().machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (IS_AT_LEAST, 2, 0, FOREIGN_ABI),
        (IS, 1, 0, CLONE_BY_MEMORY),
        (IS, 0, 1, IO_URING_SETUP),
        (RETURN, 0, 0, REFUSE | errno.ENOSYS),
    ]
    refused = [(number(call), [(RETURN, 0, 0, verdict)]) for call in FORBIDDEN]
    refused += [
        (number("unshare"), without_new_users(verdict)),
        (number("clone"), without_new_users(REFUSE | errno.EPERM)),
    ]
    for call, block in (*refused, *blocks.items()):
        rows += [(IS, 0, len(block), call), *block]
    rows.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def install(libc: ctypes.CDLL, rows: bytes, flags: int = 0) -> int:
    """From here on, for whatever this process becomes; gives where questions arrive, if asked."""
    buffer = ctypes.create_string_buffer(rows, len(rows))
    head = struct.pack("@HP", len(rows) // 8, ctypes.addressof(buffer))
    given = ctypes.create_string_buffer(head, len(head))
    return checked(libc.syscall(number("seccomp"), SET_FILTER, flags, given))


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def hand_over(channel: socket.socket, listener: int) -> None:
    """Send the place where questions arrive to who answers them; the sender keeps nothing."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))
    channel.sendmsg([b"."], [rights])
    os.close(listener)


def handed_over(channel: socket.socket) -> int | None:
    """What was sent; None where the sender ended first."""
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
    return array.array("i", ancillary[0][2])[0] if ancillary else None


def received(listener: int) -> tuple[int, ...] | None:
    """The next question: its id, the asker, then the number and arguments of the call.

    None when the asker has ended meanwhile. Raises `OSError` when nobody is left to ask.
    """
    notice = bytearray(NOTICE.size)
    try:
        fcntl.ioctl(listener, RECEIVE, notice)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):
            return None
        raise
    found = NOTICE.unpack(notice)
    return (found[0], found[1], found[3], *found[6:])


def answer(listener: int, question: int, problem: int) -> None:
    """The call gives 0, or fails with the number `problem`."""
    reply = bytearray(ANSWER.pack(question, 0, -problem, 0))
    try:
        fcntl.ioctl(listener, SEND, reply)
    except OSError:
        return


def die(said: object) -> None:
    sys.stderr.write(f"fanfold: {said}\n")
    sys.stderr.flush()
    os._exit(1)
