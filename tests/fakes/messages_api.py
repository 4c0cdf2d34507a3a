"""A Messages API on the loopback, over real HTTP, with scripted replies and faults.

By hand: `python -m tests.fakes.messages_api --script agents.json`, then set ANTHROPIC_BASE_URL
to what it prints.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from fanfold.adapters.local.script import Script
from fanfold.adapters.local.scripted_model import plausible_usage
from tests.fakes.messages_wire import (
    Answer,
    Chunk,
    Ending,
    Raw,
    Refusal,
    Reply,
    Wait,
    error_body,
    message,
    request_of,
    stream,
    text,
)

if TYPE_CHECKING:
    from fanfold.run.attempt import Usage

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")


class Seen(msgspec.Struct, frozen=True):
    """A request that arrived; `raw` is its body as sent."""

    path: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]


Behaviour = Answer | Callable[[dict[str, Any]], Answer]


class FakeMessagesApi:
    """Answers by the first rule that matches, else by the next of `replies`, else with `default`.

    With a `key`, requests that do not carry it as x-api-key or bearer token get 401; with a
    `signature`, those that it does not find well signed get 403, as Bedrock does it.
    """

    def __init__(
        self,
        *replies: Behaviour,
        default: Behaviour | None = None,
        key: str | None = None,
        signature: Callable[[Seen], bool] | None = None,
        port: int = 0,
    ) -> None:
        self.replies: list[Behaviour] = list(replies)
        self.default: Behaviour = text("Done.") if default is None else default
        self.key, self.signature = key, signature
        self.requests: list[Seen] = []
        self.stopped = threading.Event()
        self._rules: list[tuple[Callable[[dict[str, Any]], bool], list[Behaviour]]] = []
        self._lock = threading.Lock()
        self._server = _Server(self, port)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def when(self, found: str | Callable[[dict[str, Any]], bool], *replies: Behaviour) -> Self:
        """Answer what contains a text, or fits a predicate, by `replies`; the last one stays."""

        def contains(body: dict[str, Any]) -> bool:
            return str(found) in json.dumps(body, ensure_ascii=False)

        self._rules.append((found if callable(found) else contains, list(replies)))
        return self

    @property
    def calls(self) -> list[Seen]:
        """The requests for a message."""
        return [seen for seen in self.requests if seen.path.partition("?")[0].endswith("/messages")]

    def answer(self, seen: Seen) -> Answer:
        with self._lock:
            self.requests.append(seen)
            if not self._admits(seen):
                return Refusal(401, "authentication_error", "invalid x-api-key")
            if self.signature is not None and not self.signature(seen):
                return Refusal(403, "permission_error", "The signature does not match")
            behaviour = self._next(seen.body)
        return behaviour(seen.body) if callable(behaviour) else behaviour

    def _admits(self, seen: Seen) -> bool:
        given = {
            seen.headers.get("x-api-key"),
            seen.headers.get("authorization", "").removeprefix("Bearer "),
        }
        return self.key is None or self.key in given

    def _next(self, body: dict[str, Any]) -> Behaviour:
        for matches, replies in self._rules:
            if matches(body):
                return replies.pop(0) if len(replies) > 1 else replies[0]
        return self.replies.pop(0) if self.replies else self.default

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()


def refused_url() -> str:
    """The URL of a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def usage_of(body: dict[str, Any], content: list[dict[str, Any]]) -> dict[str, Any]:
    """Numbers in the API's shape that fit the sizes of a request and its reply."""
    return in_api_shape(plausible_usage(request_of(body), content))


def in_api_shape(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, api: FakeMessagesApi, port: int) -> None:
        self.api = api
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are logged in `FakeMessagesApi.requests`."""

    def do_GET(self) -> None:
        models = [{"id": name, "type": "model", "display_name": name} for name in MODELS]
        self._json(200, {"data": models, "has_more": False})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.path, headers, raw, json.loads(raw))
        if self.path.partition("?")[0].endswith("/count_tokens"):
            self._json(200, {"input_tokens": len(raw) // 4})
        else:
            self._send(self.server.api.answer(seen), seen.body)

    def _send(self, answer: Answer, body: dict[str, Any]) -> None:
        match answer:
            case Refusal():
                self._json(answer.status, error_body(answer), answer.headers)
            case Raw():
                self._whole(answer.status, answer.body, answer.content_type, answer.headers)
            case Reply():
                usage = usage_of(body, answer.content) if answer.usage is None else answer.usage
                if body.get("stream"):
                    self._stream(stream(answer, body["model"], usage))
                else:
                    self._json(200, message(answer, body["model"], usage))

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._whole(status, json.dumps(body).encode(), "application/json", headers or {})

    def _whole(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self._head(status, {"content-type": kind, "content-length": str(len(body)), **headers})
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send_response(status)
        for name, value in {"request-id": "req_fake", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, chunks: Iterable[Chunk]) -> None:
        self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        for chunk in chunks:
            match chunk:
                case Wait():
                    self.server.api.stopped.wait(chunk.seconds)
                case Ending():
                    self._break(chunk)
                    return
                case _:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _break(self, ending: Ending) -> None:
        if ending is Ending.RESET:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake Messages API on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", help="the key to ask for; any will do without")
    parser.add_argument(
        "--script", type=Path, help="a model script in JSON to play for every agent"
    )
    parser.add_argument(
        "--first",
        type=int,
        action="append",
        default=[],
        help="answer so first, e.g. 429; repeatable",
    )
    given = parser.parse_args()
    from tests.fakes.scripted_agents import ScriptedAgents

    default = (
        ScriptedAgents(Script.from_json(given.script.read_bytes()))
        if given.script
        else text("Done.")
    )
    faults = [Refusal(status) for status in given.first]
    with FakeMessagesApi(*faults, default=default, key=given.key, port=given.port) as api:
        sys.stderr.write(f"ANTHROPIC_BASE_URL={api.url}\n")
        try:
            api.stopped.wait()
        except KeyboardInterrupt:
            sys.stderr.write(f"{len(api.calls)} calls\n")


if __name__ == "__main__":
    main()
