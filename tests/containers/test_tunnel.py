"""The way out for commands: hosts of the list, at public addresses, and no other."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from containers.proxy.tunnel import HEAD_BYTES, Tunnels, is_public

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

LOCAL = "localhost"


@contextmanager
def proxy(*allow: str, reachable: Callable[[str], bool] = lambda _: True) -> Generator[int]:
    """The port of a proxy on the loopback."""
    ready, port = threading.Event(), list[int]()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        tunnels = Tunnels(allow, reachable)
        server = await asyncio.start_server(tunnels.serve, "127.0.0.1", 0, limit=HEAD_BYTES)
        port.append(server.sockets[0].getsockname()[1])
        ready.set()
        async with server:
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield port[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


@contextmanager
def echo() -> Generator[int]:
    """A server that sends back what it is sent, and then ends."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                inside = server.accept()[0]
            except OSError:
                return
            with inside:
                while data := inside.recv(65536):
                    inside.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


def ask(port: int, request: str, more: bytes = b"") -> bytes:
    """All that comes back for `request`, and for `more` once a tunnel stands."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request.encode())
        told = client.recv(65536)
        if more:
            client.sendall(more)
            client.shutdown(socket.SHUT_WR)
        while data := client.recv(65536):
            told += data
        return told


def connect(host: str, port: int) -> str:
    return f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def test_a_tunnel_to_an_allowed_host_carries_both_ways_to_its_end() -> None:
    with echo() as there, proxy(f"{LOCAL}:{there}") as port:
        more = b"hello" * 50_000
        told = ask(port, connect(LOCAL, there), more)
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == more


@pytest.mark.parametrize(
    ("allow", "host"),
    [
        ((), LOCAL),
        (("example.org",), LOCAL),
        (("*.localhost",), LOCAL),
        ((LOCAL,), "127.0.0.1"),
        ((LOCAL,), f"{LOCAL}.example.org"),
    ],
)
def test_any_other_host_is_refused_by_name(allow: tuple[str, ...], host: str) -> None:
    with echo() as there, proxy(*(f"{name}:{there}" for name in allow)) as port:
        told = ask(port, connect(host, there))
    assert told.startswith(b"HTTP/1.1 403")
    assert f"{host}:{there} is not among the allowed hosts".encode() in told


def test_a_port_must_be_allowed_too() -> None:
    with echo() as there, proxy(LOCAL) as port:
        assert ask(port, connect(LOCAL, there)).startswith(b"HTTP/1.1 403")


def test_an_allowed_name_leads_to_no_address_inside() -> None:
    with echo() as there, proxy(f"{LOCAL}:{there}", reachable=is_public) as port:
        told = ask(port, connect(LOCAL, there))
    assert told.startswith(b"HTTP/1.1 403")
    assert b"is not public" in told


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("169.254.170.2", False),
        ("169.254.169.254", False),
        ("fd00:ec2::254", False),
        ("10.64.0.7", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "request_",
    [
        "GET http://example.org/ HTTP/1.1\r\n\r\n",
        "CONNECT example.org HTTP/1.1\r\n\r\n",
        "CONNECT example.org:https HTTP/1.1\r\n\r\n",
        "\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\n\r\n",
    ],
)
def test_nothing_but_connect_is_understood(request_: str) -> None:
    with proxy("example.org") as port:
        assert ask(port, request_).startswith(b"HTTP/1.1 405")


def test_a_host_that_does_not_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = closed.getsockname()[1]
    with proxy(f"{LOCAL}:{gone}", "nowhere.invalid") as port:
        assert ask(port, connect(LOCAL, gone)).startswith(b"HTTP/1.1 502")
        assert ask(port, connect("nowhere.invalid", 443)).startswith(b"HTTP/1.1 502")


def test_a_head_without_end_is_dropped() -> None:
    with proxy("example.org") as port:
        try:
            told = ask(port, "CONNECT " + "x" * (2 * HEAD_BYTES))
        except ConnectionResetError:
            told = b""
        assert told == b""
        assert ask(port, connect("other.org", 443)).startswith(b"HTTP/1.1 403")
