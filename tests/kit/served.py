"""An account that other processes reach on the loopback, and who waits for their tasks."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from moto.server import ThreadedMotoServer

from tests.kit.account import REGION, account

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def served() -> Generator[dict[str, str]]:
    """A fresh account in this process, too; gives the variables that lead others to it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with account():
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            yield {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
            }
        finally:
            server.stop()


class Waiting:
    """The part of Step Functions that hears of tasks: `told` are (what, token, error) in order.

    A token that is not among `tokens`, any more, has timed out.
    """

    def __init__(self, *tokens: str) -> None:
        self.tokens = set(tokens)
        self.told: list[tuple[str, str, str]] = []
        self.changed = threading.Condition()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def hear(self, what: str, body: dict[str, Any]) -> str:
        """The error to answer with, or nothing."""
        token = body["taskToken"]
        with self.changed:
            if token not in self.tokens:
                return "TaskTimedOut"
            self.told.append((what, token, body.get("error", "")))
            if what != "heartbeat":
                self.tokens.discard(token)
            self.changed.notify_all()
        return ""

    def outcomes(self) -> list[tuple[str, str]]:
        return [(what, error) for what, _, error in self.told if what != "heartbeat"]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, waiting: Waiting) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.waiting = waiting


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        what = self.headers["x-amz-target"].rpartition(".SendTask")[2].lower()
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        code = self.server.waiting.hear(what, body)
        answer = json.dumps({"__type": code, "message": "refused"} if code else {}).encode()
        self.send_response(400 if code else 200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        return
