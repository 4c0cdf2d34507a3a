"""Runs as text inside bubblewrap, around a command: answers its look-ups, relays to the proxy,
and tells what the command was kept from.

Arguments: the descriptor to tell it on, whether there is a proxy (0 or 1), whether it has the
capabilities to hear look-ups (0 or 1), the command's user and group, the command's words.
"""

from __future__ import annotations

import _thread
import ctypes
import errno
import os
import signal
import socket
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PORT, SOCKET = 3128, "/run/fanfold/socket"
NAMES = ("127.0.0.1", 53)
LAST_CAPABILITY, CAPABILITIES = 63, 0x20080522
NEW_USER_NAMESPACE = 0x10000000
DETACHED, BOUND, READ_ONLY = 2, 0x1000, 0x1000 | 0x20 | 0x1 | 0x2 | 0x4 | 0x8
KERNEL, MOST_NAMESPACES = b"/proc/sys", "/proc/sys/user/max_user_namespaces"
DUMPABLE, DROP, AMBIENT, CLEAR, SUBREAPER = 4, 24, 47, 4, 36
REFUSED = 0x8185
SECCOMP, FILTER = 22, 2
ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16)
IO_URING_SETUP, FOREIGN_ABI = 425, 0x40000000
LOAD, IS, IS_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
NORMAL = (signal.SIGPIPE, signal.SIGXFSZ)


def tell(report: int, kind: str, subject: str) -> None:
    os.write(report, f"{kind}\t{subject}\n".encode())


def question(packet: bytes) -> tuple[str, bytes]:
    """The name that is asked for, and the question as it stands in the packet."""
    labels: list[str] = []
    at = 12
    while packet[at]:
        length = packet[at]
        labels.append(packet[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += length + 1
    return ".".join(labels).lower(), packet[12 : at + 5]


def answer_names(server: socket.socket, report: int) -> None:
    """Refuse every look-up, and tell each name once."""
    known: set[str] = set()
    while True:
        packet, asker = server.recvfrom(2048)
        try:
            name, asked = question(packet)
        except IndexError:
            continue
        if name not in known and len(known) < 100:
            known.add(name)
            tell(report, "host", name)
        server.sendto(packet[:2] + struct.pack("!HHHHH", REFUSED, 1, 0, 0, 0) + asked, asker)


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()


def relay(server: socket.socket) -> None:
    while True:
        inside = server.accept()[0]
        outside = socket.socket(socket.AF_UNIX)
        outside.connect(SOCKET)
        for ends in ((inside, outside), (outside, inside)):
            _thread.start_new_thread(pump, ends)


def name_server() -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(NAMES)
    return server


def forbid_namespaces(libc: ctypes.CDLL) -> None:
    """All but one more, as `--disable-userns` does, which would take the port of names from us."""
    checked(libc.umount2(KERNEL, DETACHED))
    with open(MOST_NAMESPACES, "w") as file:  # noqa: PTH123
        file.write("1")
    checked(libc.mount(KERNEL, KERNEL, None, BOUND, None))
    checked(libc.mount(None, KERNEL, None, READ_ONLY, None))


def checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def give_up_capabilities(libc: ctypes.CDLL) -> None:
    """All of them, for good, and for whatever this process starts."""
    libc.prctl(AMBIENT, CLEAR, 0, 0, 0)
    for capability in range(LAST_CAPABILITY):
        libc.prctl(DROP, capability, 0, 0, 0)
    checked(libc.capset(struct.pack("=II", CAPABILITIES, 0), bytes(24)))


def enter_last_namespace(libc: ctypes.CDLL, user: int, group: int) -> None:
    """Be the user again that this process is outside, where no port of names is to be had."""
    checked(libc.unshare(NEW_USER_NAMESPACE))
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} 0 1"),
        ("gid_map", f"{group} 0 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
            file.write(content)
    give_up_capabilities(libc)


def stay_inside(libc: ctypes.CDLL) -> None:
    """No sockets of families that a network namespace does not hold, such as vsock; no rings."""
    known = ARCHITECTURES.get(os.uname().machine)
    if known is None:
        return
    name, create = known
    rows = [
        (LOAD, 0, 0, ARCHITECTURE),
        (IS, 1, 0, name),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (IS_AT_LEAST, 9, 0, FOREIGN_ABI),
        (IS, 8, 0, IO_URING_SETUP),
        (IS, 0, 6, create),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        *((IS, 4 - index, 0, family) for index, family in enumerate(FAMILIES)),
        (RETURN, 0, 0, REFUSE | errno.EAFNOSUPPORT),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE | errno.ENOSYS),
    ]
    program = b"".join(struct.pack("=HBBI", *row) for row in rows)
    buffer = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(rows), ctypes.addressof(buffer))
    checked(libc.prctl(SECCOMP, FILTER, ctypes.create_string_buffer(head, len(head)), 0, 0))


def left_over() -> int:
    """Processes that the command leaves behind; the first is bubblewrap's own."""
    alive = 0
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and int(name) not in (1, os.getpid()):
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    alive += file.read().rpartition(b")")[2].split()[0] not in b"ZX"
            except OSError:
                continue
    return alive


def start(command: list[str], prepare: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        prepare()
        # Python ignores these, and what it becomes would inherit that.
        for number in NORMAL:
            signal.signal(number, signal.SIG_DFL)
        os.execv(command[0], command)  # noqa: S606
    return child


def wait_for(child: int) -> int:
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


def main() -> int:
    report, proxied, hearing, user, group = map(int, sys.argv[1:6])
    os.set_inheritable(report, False)
    libc = ctypes.CDLL(None, use_errno=True)
    names = name_server() if hearing else None
    proxy = socket.create_server(("127.0.0.1", PORT)) if proxied else None
    if hearing:
        forbid_namespaces(libc)
    libc.prctl(SUBREAPER, 1, 0, 0, 0)

    def prepare() -> None:
        if hearing:
            enter_last_namespace(libc, user, group)
        stay_inside(libc)

    child = start(sys.argv[6:], prepare)
    give_up_capabilities(libc)
    libc.prctl(DUMPABLE, 0, 0, 0, 0)
    if names:
        _thread.start_new_thread(answer_names, (names, report))
    if proxy:
        _thread.start_new_thread(relay, (proxy,))
    code = wait_for(child)
    if alive := left_over():
        tell(report, "left_over", str(alive))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    # Not by the usual way out, which would wait for what the threads do.
    os._exit(main())
