"""The way to the hosts of an allow-list: CONNECT, and nothing else."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from fanfold.run.access import Access, Operation

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Callable, Sequence

    Ends = tuple[StreamReader, StreamWriter]

HEAD_BYTES = 16_384
HEAD_S, CONNECT_S, IDLE_S = 20.0, 20.0, 300.0
CHUNK = 65_536

_BROKEN_OFF = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)

logger = logging.getLogger("fanfold.proxy")


class Refused(Exception):
    """What a client is told in place of a tunnel."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


def is_public(address: str) -> bool:
    """Whether an address is nobody's own network, nor the metadata service of this container."""
    return ipaddress.ip_address(address.partition("%")[0]).is_global


class Tunnels:
    """Serves CONNECT to hosts that `allow` names, at addresses that `reachable` lets through.

    The address is looked up once and connected to as it was judged, so that a name cannot turn into
    another address in between.
    """

    def __init__(self, allow: Sequence[str], reachable: Callable[[str], bool] = is_public) -> None:
        self._access = Access("agents", hosts=tuple(allow))
        self._reachable = reachable

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One connection, from its first line to its end."""
        with suppress(*_BROKEN_OFF):
            try:
                host, port = _target(await _head(reader))
                outside = await self._connect(host, port)
            except Refused as refused:
                logger.warning("refused: %s", refused.why)
                writer.write(_refusal(refused))
                await writer.drain()
            else:
                logger.info("tunnel to %s:%s", host, port)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await _join((reader, writer), outside)
        writer.close()

    async def _connect(self, host: str, port: int) -> Ends:
        decision = self._access.decide(Operation.CONNECT, f"{host}:{port}")
        if not decision.allowed:
            raise Refused("403 Forbidden", decision.why)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Refused("502 Bad Gateway", f"{host}: {error.strerror}") from None
        addresses = [str(each[4][0]) for each in found]
        for address in addresses:
            if not self._reachable(address):
                raise Refused("403 Forbidden", f"{host} lies at {address}, which is not public")
        return await _first(addresses, host, port)


async def _first(addresses: Sequence[str], host: str, port: int) -> Ends:
    for address in addresses:
        with suppress(OSError, TimeoutError):
            return await asyncio.wait_for(asyncio.open_connection(address, port), CONNECT_S)
    raise Refused("502 Bad Gateway", f"{host}:{port} does not answer")


async def _head(reader: StreamReader) -> str:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
    return head.decode("latin-1")


def _target(head: str) -> tuple[str, int]:
    method, _, rest = head.partition(" ")
    address = rest.partition(" ")[0]
    host, colon, port = address.rpartition(":")
    if method != "CONNECT" or not colon or not port.isdigit():
        raise Refused("405 Method Not Allowed", f"only CONNECT to host:port, not {method[:20]!r}")
    return host.strip("[]").rstrip(".").lower(), int(port)


def _refusal(refused: Refused) -> bytes:
    body = f"fanfold: {refused.why}\n".encode()
    head = f"HTTP/1.1 {refused.status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def _join(inside: Ends, outside: Ends) -> None:
    try:
        await asyncio.gather(_pump(inside[0], outside[1]), _pump(outside[0], inside[1]))
    finally:
        outside[1].close()


async def _pump(source: StreamReader, sink: StreamWriter) -> None:
    while data := await asyncio.wait_for(source.read(CHUNK), IDLE_S):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()
