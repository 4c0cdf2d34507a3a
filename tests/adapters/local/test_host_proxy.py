"""A sandbox reaches the hosts it may, and no others."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.local.host_proxy import HostProxy
from fanfold.adapters.local.sandbox import Bubblewrap
from fanfold.run.access import is_allowed
from tests.fakes.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FETCH = """
import sys, urllib.request, urllib.error
for url in sys.argv[1:]:
    try: print(urllib.request.urlopen(url, timeout=5).read().decode())
    except urllib.error.HTTPError as e: print(e.code, e.read().decode().strip())
    except OSError as e: print('failed', e)
"""


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"hello {self.path} {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    with serving(server):
        yield server.server_port


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "fetch.py").write_text(FETCH)
    return root


def sandbox(tmp_path: Path, *allow: str) -> Bubblewrap:
    made = Bubblewrap({"PATH": os.defpath, "HOME": str(tmp_path / "home")}, allow_hosts=allow)
    reason = made.available()
    if reason:
        pytest.skip(reason)
    if made.run("command -v python3", str(tmp_path), 10).exit_code:
        pytest.skip("no python3 in the system's folders")
    return made


def test_allowed_hosts_are_reached_and_others_refused(
    tmp_path: Path, root: Path, port: int
) -> None:
    allowed = f"http://host.test:{port}/a?b=c"
    known = f"localhost:{port}"
    made = sandbox(tmp_path, known)
    urls = f"http://LOCALHOST:{port}/a?b=c {allowed} http://localhost:1/"
    told = made.run(f"env -u no_proxy -u NO_PROXY python3 fetch.py {urls}", str(root), 20)
    assert told.output.splitlines() == [
        f"hello /a?b=c LOCALHOST:{port}",
        f"403 fanfold: host.test:{port} is not among the allowed hosts; allowed: {known}",
        f"403 fanfold: localhost:1 is not among the allowed hosts; allowed: {known}",
    ]
    asked = [(i.kind, i.subject) for i in told.incidents]
    assert asked == [("reached", known), ("host", f"host.test:{port}"), ("host", "localhost:1")]


def test_there_is_no_way_around_the_proxy(tmp_path: Path, root: Path, port: int) -> None:
    script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
    made = sandbox(tmp_path, f"localhost:{port}")
    assert made.run(f'python3 -c "{script}"', str(root), 20).exit_code != 0


def test_exit_codes_and_timeouts_are_as_without(tmp_path: Path, root: Path) -> None:
    made = sandbox(tmp_path, "example.org")
    assert made.run("exit 7", str(root), 20).exit_code == 7
    assert made.run("kill -9 $$", str(root), 20).exit_code == 137
    assert made.run("echo begun; sleep 20", str(root), 1).timed_out


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("pkg.example.org", 443, True),
        ("pkg.example.org", 80, True),
        ("pkg.example.org", 22, False),
        ("evil-pkg.example.org", 443, False),
        ("files.pkg.example.org", 443, False),
        ("a.b.example.com", 443, True),
        ("example.com", 443, False),
        ("notexample.com", 443, False),
        ("git.example.net", 8443, True),
        ("git.example.net", 443, False),
    ],
)
def test_hosts_match_exactly_or_below_a_domain(host: str, port: int, expected: bool) -> None:
    allow = ("pkg.example.org", "*.Example.com", "git.example.net:8443")
    assert is_allowed(host, port, allow) is expected


class Gateway(BaseHTTPRequestHandler):
    """The only way out of a network: opens tunnels, in which it answers itself."""

    asked: list[str] = []  # noqa: RUF012

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        allowed = self.path == "pkg.example.org:80"
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" if allowed else b"HTTP/1.1 403 No\r\n\r\n")
        if allowed:
            self.rfile.readline()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_what_is_allowed_goes_by_the_only_way_out() -> None:
    with (
        serving(ThreadingHTTPServer(("127.0.0.1", 0), Gateway)) as gateway,
        HostProxy(("*.example.org",), port=True, upstream=gateway) as proxy,
    ):
        handler = urllib.request.ProxyHandler({"http": proxy.address})
        opener = urllib.request.build_opener(handler)
        with opener.open("http://pkg.example.org/x", timeout=5) as answer:
            assert answer.read() == b"here"
        for host, code in {"other.example.org": 502, "example.com": 403}.items():
            with pytest.raises(urllib.error.HTTPError) as refused:
                opener.open(f"http://{host}/", timeout=5)
            assert refused.value.code == code
    assert Gateway.asked == ["pkg.example.org:80", "other.example.org:80"]
