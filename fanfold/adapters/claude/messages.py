"""The Messages API through the `anthropic` SDK, one try a call."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from fanfold.adapters.claude.assembly import Assembly
from fanfold.adapters.claude.failures import ANTHROPIC, break_off, error_event, refusal
from fanfold.adapters.claude.usage import floor_usage, read_usage
from fanfold.errors import InvalidSettings, MissingKey, ModelError, StreamDropped
from fanfold.ports import ModelReply, ModelRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anthropic import Anthropic
    from anthropic._streaming import ServerSentEvent
    from anthropic.lib.bedrock import AnthropicBedrockMantle
    from httpx2 import Client, Request

    from fanfold.adapters.claude.failures import Mends

DEFAULT_BASE_URL = "https://api.anthropic.com"
CONNECT_S = 10.0
SHORTEST_SECRET = 8
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class MessagesModel:
    """One client for all threads, made by `connect` at the first call; before, not even the SDK is
    imported.

    A call in which no byte comes for `silence_s` is dropped. `secrets` are what no error may hold,
    `mends` what errors advise.
    """

    def __init__(
        self,
        connect: Callable[[], Anthropic | AnthropicBedrockMantle],
        *,
        silence_s: float,
        secrets: Callable[[], Iterable[str]],
        mends: Mends,
    ) -> None:
        self._connect, self._secrets, self._mends = connect, secrets, mends
        self._silence_s = silence_s
        self._client: Anthropic | AnthropicBedrockMantle | None = None
        self._lock = threading.Lock()

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        """One try, dropped where it is not complete after `timeout_s`, however steadily it drips.

        Raises `ModelUnavailable`, `StreamDropped`, `ModelDenied` or `ModelRejected`, each in one
        line without the key.
        """
        from anthropic import APIConnectionError, APIStatusError
        from httpx2 import HTTPError, StreamError

        started = time.monotonic()
        reply = Assembly()
        try:
            self._read(request, reply, timeout_s)
        except APIStatusError as error:
            raise self._without_secrets(refusal(error, self._mends)) from None
        except (APIConnectionError, HTTPError, StreamError) as error:
            if not reply.whole:
                raise self._without_secrets(
                    break_off(error, min(self._silence_s, timeout_s))
                ) from None
        except ModelError as error:
            raise self._without_secrets(error) from None
        return _as_reply(reply, request, round((time.monotonic() - started) * 1000))

    def close(self) -> None:
        """Release the connections; a later call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _read(self, request: ModelRequest, reply: Assembly, timeout_s: float) -> None:
        from anthropic import Stream, Timeout

        deadline = time.monotonic() + timeout_s
        silence_s = min(self._silence_s, timeout_s)
        timeout = Timeout(silence_s, connect=min(silence_s, CONNECT_S))
        create = self._shared_client().messages.with_streaming_response.create
        with create(**_arguments(request), stream=True, timeout=timeout) as response:
            try:
                for event in Stream.raw_events(response.http_response):
                    _feed(reply, event, self._mends)
                    if time.monotonic() > deadline and not reply.whole:
                        raise StreamDropped(f"the reply was not complete after {timeout_s:g} s")
            except ValueError:
                raise StreamDropped("the reply holds an event that is not JSON") from None

    def _shared_client(self) -> Anthropic | AnthropicBedrockMantle:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _without_secrets(self, error: ModelError) -> ModelError:
        """The same error, also where the server echoes a secret in its explanation."""
        for secret in self._secrets():
            if len(secret) >= SHORTEST_SECRET:
                error.args = tuple(str(arg).replace(secret, "«key»") for arg in error.args)
        return error


class ClaudeModel(MessagesModel):
    """The Anthropic API.

    The SDK sends `api_key`, or in its place `auth_token`, as a bearer token. Raises `MissingKey` or
    `InvalidSettings` for a key or URL that cannot be used.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        auth_token: str | None = None,
        base_url: str | None = None,
        silence_s: float = 120.0,
    ) -> None:
        key = _checked_key(api_key or auth_token or "")
        url = checked_url("ANTHROPIC_BASE_URL", base_url or DEFAULT_BASE_URL)

        def connect() -> Anthropic:
            from anthropic import Anthropic

            return Anthropic(api_key=key, base_url=url, max_retries=0, http_client=http_client())

        super().__init__(connect, silence_s=silence_s, secrets=lambda: (key,), mends=ANTHROPIC)


def http_client(auth: Callable[[Request], Request] | None = None) -> Client:
    """Follows no redirects, which would carry the key elsewhere, and asks no proxy for loopback."""
    from anthropic import DefaultHttpxClient

    direct = {f"all://{host}": None for host in _LOOPBACK}
    return DefaultHttpxClient(auth=auth, follow_redirects=False, mounts=direct)


def _feed(reply: Assembly, event: ServerSentEvent, mends: Mends) -> None:
    if event.event == "error":
        raise error_event(event.data, mends, started=reply.started)
    if event.data and event.event != "ping":
        reply.feed(event.json())


def _arguments(request: ModelRequest) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": request.messages,
    }
    if request.system:
        arguments["system"] = request.system
    if request.tools:
        arguments["tools"] = request.tools
    if request.effort:
        arguments["output_config"] = {"effort": request.effort}
    return arguments


def _as_reply(reply: Assembly, request: ModelRequest, latency_ms: int) -> ModelReply:
    content = reply.content()
    return ModelReply(
        message_id=reply.message_id or f"msg_{uuid4().hex}",
        content=content,
        stop_reason=reply.stop_reason or "",
        usage=floor_usage(read_usage(reply.usage), request, content),
        model=reply.model or request.model,
        latency_ms=latency_ms,
    )


def _checked_key(key: str) -> str:
    key = key.strip()
    if not key:
        raise MissingKey("no key for the model API: set ANTHROPIC_API_KEY")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise MissingKey("ANTHROPIC_API_KEY holds characters that no key has: copy it again")
    return key


def checked_url(name: str, url: str) -> str:
    """`url` as the variable `name` gave it. Raises `InvalidSettings` for what is no http(s) URL."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidSettings(f"{name}: {url!r} is not an http(s) URL")
    return url.strip()
