"""The model API for workers: whoever shows a pass has the call made with a key it never sees."""

from __future__ import annotations

import logging
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx2

from fanfold.errors import FanfoldError
from fanfold.run.model_pass import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from fanfold.run.model_pass import Pass

PATHS = frozenset({"/v1/messages", "/v1/messages/count_tokens"})
BODY_BYTES = 40_000_000
CALL_S = 900.0
KEY = "x-api-key"
PASSED_ON = ("content-type", "accept", "anthropic-version", "anthropic-beta", "user-agent")
PASSED_BACK = ("content-type", "request-id", "retry-after", "anthropic-organization-id")
LIMITS = "anthropic-ratelimit-"
UNAUTHORIZED = 401

logger = logging.getLogger("fanfold.proxy")


class ModelApi(ThreadingHTTPServer):
    """Answers for the API at `upstream`; `key(fresh)` gives the key, `secret` seals passes.

    Only what is named passes either way: no header of a worker reaches the API that could choose
    another key, and none of the API's that could tell of it comes back. Errors are the API's own.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        *,
        upstream: str,
        key: Callable[[bool], str],
        secret: Callable[[], str],
    ) -> None:
        super().__init__(address, _Call)
        self.key, self.secret = key, secret
        self._client = httpx2.Client(base_url=upstream, timeout=CALL_S, trust_env=False)

    def open(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> AbstractContextManager[httpx2.Response]:
        return self._client.stream("POST", path, headers=headers, content=body)

    def server_close(self) -> None:
        super().server_close()
        self._client.close()


class _Call(BaseHTTPRequestHandler):
    """One call; what is logged of it is who made it, its size and its end."""

    protocol_version = "HTTP/1.1"
    server: ModelApi  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        self._answered = False
        self._mine = self._pass()
        body = self._body()
        if self._mine is None:
            self._refuse(UNAUTHORIZED, "authentication_error", "no pass that is valid")
        elif self.path not in PATHS:
            self._refuse(404, "not_found_error", f"no such path: {self.path[:100]}")
        elif body is None:
            self._refuse(413, "request_too_large", f"more than {BODY_BYTES} bytes, or no length")
        else:
            self._pass_on(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of a request's own words: they are a worker's."""

    def _pass(self) -> Pass | None:
        given = self.headers.get(KEY) or ""
        bearer = self.headers.get("authorization") or ""
        shown = given or bearer.removeprefix("Bearer ")
        return opened(shown, self.server.secret(), time.time())

    def _body(self) -> bytes | None:
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > BODY_BYTES:
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _pass_on(self, body: bytes) -> None:
        """A key that is refused may have been rotated: it is read anew, once."""
        began = time.monotonic()
        status = 0
        try:
            for fresh in (False, True):
                with self.server.open(self.path, self._headers(fresh), body) as answer:
                    status = answer.status_code
                    if status == UNAUTHORIZED and not fresh:
                        continue
                    self._send(status, self._back(answer.headers), answer.iter_raw())
                break
        except (httpx2.HTTPError, FanfoldError) as error:
            status = 502
            self._fail(type(error).__name__)
        told = "%s of %s: %s, %s bytes, %.0f ms"
        took = 1000 * (time.monotonic() - began)
        logger.info(told, self.path, self._whose, status, len(body), took)

    @property
    def _whose(self) -> str:
        return f"{self._mine.run_id}/{self._mine.attempt}" if self._mine else "nobody"

    def _headers(self, fresh: bool) -> dict[str, str]:
        named = {n: v for n in PASSED_ON if (v := self.headers.get(n)) is not None}
        return {**named, KEY: self.server.key(fresh), "accept-encoding": "identity"}

    def _back(self, headers: httpx2.Headers) -> dict[str, str]:
        return {n: v for n, v in headers.items() if n in PASSED_BACK or n.startswith(LIMITS)}

    def _send(self, status: int, headers: dict[str, str], chunks: Iterator[bytes]) -> None:
        self._answered = True
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            if chunk:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _fail(self, why: str) -> None:
        """An answer that has begun is cut off; that it is not whole can be seen."""
        if self._answered:
            self.close_connection = True
        else:
            self._refuse(502, "api_error", f"the model API was not reached ({why})")

    def _refuse(self, status: int, kind: str, why: str) -> None:
        message = f'{{"type":"error","error":{{"type":"{kind}","message":"fanfold: {why}"}}}}'
        self._send(status, {"content-type": "application/json"}, iter((message.encode(),)))
