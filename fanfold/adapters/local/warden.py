"""Runs as text inside bubblewrap, around a command: answers its look-ups, relays to the proxy,
and tells what the command was kept from.

Arguments: the descriptor to tell it on, whether there is a proxy (0 or 1), the command's words.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import socket
import struct
import sys

PORT, SOCKET = 3128, "/run/fanfold/socket"
NAMES = ("127.0.0.1", 53)
CAP_SETPCAP, CAP_NET_BIND_SERVICE = 8, 10
DUMPABLE, DROP, AMBIENT, CLEAR, SUBREAPER = 4, 24, 47, 4, 36
CAPABILITIES = 0x20080522
REFUSED = 0x8185
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


def name_server() -> socket.socket | None:
    """Where the sandbox may have no port below 1024, look-ups fail without being told."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        server.bind(NAMES)
    except PermissionError:
        return None
    return server


def give_up_capabilities(libc: ctypes.CDLL) -> None:
    """All of them, for good, and for whatever this process starts."""
    libc.prctl(AMBIENT, CLEAR, 0, 0, 0)
    for capability in (CAP_NET_BIND_SERVICE, CAP_SETPCAP):
        libc.prctl(DROP, capability, 0, 0, 0)
    libc.capset(struct.pack("=II", CAPABILITIES, 0), bytes(24))


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


def start(command: list[str]) -> int:
    child = os.fork()
    if child == 0:
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
    report, proxied, *command = int(sys.argv[1]), sys.argv[2] == "1", *sys.argv[3:]
    os.set_inheritable(report, False)
    libc = ctypes.CDLL(None)
    names = name_server()
    proxy = socket.create_server(("127.0.0.1", PORT)) if proxied else None
    give_up_capabilities(libc)
    libc.prctl(SUBREAPER, 1, 0, 0, 0)
    child = start(command)
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
