"""The loopback of a sandbox: up, with a server of names that refuses; runs as text inside it."""

from __future__ import annotations

import fcntl
import socket
import struct

PORT, NAMES = 3128, ("127.0.0.1", 53)
REFUSED, MOST = 0x8185, 100
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack_from("h", fcntl.ioctl(any_socket, GET_FLAGS, request), 16)[0]
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", flags | UP))


def name_server() -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(NAMES)
    return server


def question(packet: bytes) -> tuple[str, bytes]:
    """The name that is asked for, and the question as it stands in the packet."""
    labels: list[str] = []
    at = 12
    while packet[at]:
        length = packet[at]
        labels.append(packet[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += length + 1
    return ".".join(labels).lower(), packet[12 : at + 5]


def refuse(server: socket.socket) -> str:
    """Refuse the next look-up; gives the name, empty where that cannot be told."""
    packet, asker = server.recvfrom(2048)
    try:
        name, asked = question(packet)
    except IndexError:
        return ""
    reply = packet[:2] + struct.pack("!HHHHH", REFUSED, 1, 0, 0, 0) + asked
    try:
        server.sendto(reply, asker)
    except OSError:
        return name
    return name


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()
