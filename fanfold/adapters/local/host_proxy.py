"""The network of a sandbox that may reach some hosts: a proxy on a Unix socket."""

from __future__ import annotations

import base64
import ipaddress
import secrets
import socket
import socketserver
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fanfold.run.access import Access, Decision, Operation
from fanfold.run.incidents import IncidentKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_HEAD_BYTES = 65536
_CONNECT_S = 20.0
_IDLE_S = 120.0
MOST_TOLD = 100


def proxy_variables(address: str) -> dict[str, str]:
    """What tells programs of the proxy at `address`, and that loopback needs none."""
    url = urlsplit(address)
    java = " ".join(
        f"-D{scheme}.proxyHost={url.hostname} -D{scheme}.proxyPort={url.port}"
        for scheme in ("http", "https")
    )
    return {
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), address),
        **dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1"),
        "JAVA_TOOL_OPTIONS": f"{java} -Dhttp.nonProxyHosts=localhost|127.*|[::1]",
    }


class HostProxy:
    """Serves as an HTTP proxy while it is entered: at `folder/socket`, or at a port of loopback.

    Whoever comes to the port must know the password in `address`. What it lets through goes by the
    proxy at `upstream`, where that is the only way out of here.
    """

    def __init__(self, allow: Sequence[str], *, port: bool = False, upstream: str = "") -> None:
        self._allow, self._port, self._upstream = tuple(allow), port, upstream
        self._server: _UnixServer | _PortServer | None = None

    def __enter__(self) -> HostProxy:
        self._folder = tempfile.TemporaryDirectory(prefix="fanfold-net-")
        password = secrets.token_hex(16) if self._port else ""
        ward = _Ward(self._allow, password, self._upstream)
        if self._port:
            self._server = _PortServer(ward)
        else:
            self._server = _UnixServer(self.folder / "socket", ward)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    @property
    def folder(self) -> Path:
        """Where the socket lies."""
        return Path(self._folder.name)

    @property
    def address(self) -> str:
        """The proxy's URL, where it serves at a port."""
        server = self._entered
        port = server.socket.getsockname()[1]
        return f"http://fanfold:{server.ward.password}@127.0.0.1:{port}"

    @property
    def told(self) -> bytes:
        """The hosts that were asked for, reached or refused, as lines for `audited`."""
        asked = self._entered.ward.asked
        return b"".join(f"{kind}\t{host}\n".encode() for kind, host in asked)

    @property
    def _entered(self) -> _UnixServer | _PortServer:
        if self._server is None:
            raise RuntimeError("the proxy is not entered")
        return self._server

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered.shutdown()
        self._entered.server_close()
        self._folder.cleanup()


class _Ward:
    """What the connections of one proxy share: whom they may reach, and who was asked for."""

    def __init__(self, allow: tuple[str, ...], password: str, upstream: str) -> None:
        self.password, self.upstream = password, upstream
        self._access = Access("commands", hosts=allow)
        self.asked: dict[tuple[IncidentKind, str], None] = {}

    def judge(self, host: str, port: int) -> Decision:
        """The policy's word on a connection, noted."""
        subject = f"{host}:{port}"
        decision = self._access.decide(Operation.CONNECT, subject)
        if len(self.asked) < MOST_TOLD:
            kind = IncidentKind.REACHED if decision.allowed else IncidentKind.HOST
            self.asked[kind, subject] = None
        return decision

    def admits(self, head: bytes) -> bool:
        """Whether the request has the password, where one is asked for."""
        given = base64.b64encode(f"fanfold:{self.password}".encode())
        return not self.password or b"basic " + given.lower() in head.lower()


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, place: Path, ward: _Ward) -> None:
        super().__init__(str(place), _Connection)
        self.ward = ward


class _PortServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, ward: _Ward) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.ward = ward


class _Connection(socketserver.BaseRequestHandler):
    """One request: a CONNECT tunnel, or a plain HTTP request passed on."""

    request: socket.socket

    def handle(self) -> None:
        self.request.settimeout(_IDLE_S)
        with suppress(OSError):
            head, rest = self._head()
            target = _target(head)
            if target is None:
                self._refuse("400 Bad Request", "this is a proxy")
            elif not self._ward.admits(head):
                self._refuse("407 Proxy Authentication Required", "the proxy is somebody else's")
            else:
                self._pass(*target, rest)

    def _pass(self, host: str, port: int, passed: bytes, rest: bytes) -> None:
        decision = self._ward.judge(host, port)
        if decision.allowed:
            self._connect(host, port, passed, rest)
        else:
            self._refuse("403 Forbidden", decision.why)

    @property
    def _ward(self) -> _Ward:
        server = self.server
        known = isinstance(server, _UnixServer | _PortServer)
        return server.ward if known else _Ward((), "", "")

    def _head(self) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data and len(data) < _HEAD_BYTES:
            more = self.request.recv(_HEAD_BYTES)
            if not more:
                break
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest

    def _connect(self, host: str, port: int, passed: bytes, rest: bytes) -> None:
        try:
            outside = _connected(host, port, self._ward.upstream)
        except OSError as error:
            self._refuse("502 Bad Gateway", f"{host}:{port}: {error}")
            return
        with outside:
            if _is_link_local(outside):
                self._refuse("403 Forbidden", f"{host} lies on the link-local network")
                return
            outside.settimeout(_IDLE_S)
            if passed:
                outside.sendall(passed + rest)
            else:
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                outside.sendall(rest)
            back = threading.Thread(target=_pump, args=(outside, self.request), daemon=True)
            back.start()
            _pump(self.request, outside)
            back.join()

    def _refuse(self, status: str, why: str) -> None:
        body = f"fanfold: {why}\n".encode()
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.request.sendall(head.encode() + body)


def _target(head: bytes) -> tuple[str, int, bytes] | None:
    """Host, port and the request to pass on (empty for a tunnel); None for no proxy request."""
    line, *fields = head.decode("latin-1").split("\r\n")
    parts = line.split(" ")
    if len(parts) != 3:
        return None
    method, address, version = parts
    tunnel = method == "CONNECT"
    with suppress(ValueError):
        url = urlsplit(f"//{address}" if tunnel else address)
        if url.hostname and (tunnel or url.scheme == "http"):
            port = url.port or (443 if tunnel else 80)
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            kept = [f for f in fields if not f.lower().startswith(("proxy-", "connection:"))]
            passed = "\r\n".join([f"{method} {path} {version}", *kept, "Connection: close", "", ""])
            return url.hostname.rstrip("."), port, b"" if tunnel else passed.encode("latin-1")
    return None


def _connected(host: str, port: int, upstream: str) -> socket.socket:
    """A connection to the host, by a tunnel of `upstream` if there is one. Raises `OSError`."""
    if not upstream:
        return socket.create_connection((host, port), _CONNECT_S)
    url = urlsplit(upstream)
    outside = socket.create_connection((url.hostname or "", url.port or 80), _CONNECT_S)
    try:
        outside.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n") and len(answer) < _HEAD_BYTES:
            byte = outside.recv(1)
            if not byte:
                break
            answer += byte
        status = answer.split(b"\r\n")[0].decode("latin-1")
        if status.split(" ")[1:2] != ["200"]:
            raise OSError(f"the proxy of this network says {status or 'nothing'!r}")
    except BaseException:
        outside.close()
        raise
    return outside


def _is_link_local(connection: socket.socket) -> bool:
    """Whether this leads to a cloud's metadata service, which gives out credentials."""
    return ipaddress.ip_address(connection.getpeername()[0].partition("%")[0]).is_link_local


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
