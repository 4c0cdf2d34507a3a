"""A server on loopback for as long as a block runs."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def serving(server: HTTPServer) -> Generator[str]:
    """Serve in a thread; gives the URL, without a path. Closed and joined at the end."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def greeting() -> Generator[int]:
    """The port of a web server that says hello."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
    with serving(server):
        yield server.server_port


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""
