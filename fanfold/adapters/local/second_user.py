"""Run as text by root, in a process of its own: become another user for good, then a command.

Arguments: the user's id, whether the internet may be reached (0 or 1), and the command's words.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import sys

NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
IO_URING_SETUP, FOREIGN_ABI = 425, 0x40000000
INTERNET = (2, 10)
LOAD, IS, IS_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16


def program(architecture: int, socket: int) -> bytes:
    """No internet socket, be it by another instruction set or by a ring: as BPF."""
    forbidden = REFUSE | errno.EACCES
    rows = [
        (LOAD, 0, 0, ARCHITECTURE),
        (IS, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (IS_AT_LEAST, 6, 0, FOREIGN_ABI),
        (IS, 5, 0, IO_URING_SETUP),
        (IS, 0, 3, socket),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (IS, 2, 0, INTERNET[0]),
        (IS, 1, 0, INTERNET[1]),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, forbidden),
    ]
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def cut_off(libc: ctypes.CDLL) -> None:
    """No socket of the internet's families from here on, for whatever this process becomes."""
    rows = program(*ARCHITECTURES[platform.machine()])
    buffer = ctypes.create_string_buffer(rows, len(rows))
    head = struct.pack("@HP", len(rows) // 8, ctypes.addressof(buffer))
    checked(libc.prctl(SECCOMP, FILTER, ctypes.create_string_buffer(head, len(head)), 0, 0))


def checked(result: int) -> None:
    if result:
        sys.exit(f"fanfold: prctl failed: {os.strerror(ctypes.get_errno())}")


def main() -> None:
    user, online, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    os.setgroups([])
    os.setresgid(int(user), int(user), int(user))
    os.setresuid(int(user), int(user), int(user))
    checked(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    if online == "0":
        cut_off(libc)
    os.umask(0o022)
    # Python ignores these, and what it becomes would inherit that.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
