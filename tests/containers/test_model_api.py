"""Calls for a key that workers never have: it reaches the API, and nobody else ever sees it."""

from __future__ import annotations

import json
import logging
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from containers.proxy.model_api import BODY_BYTES, ModelApi
from fanfold.adapters.claude.messages import ClaudeModel
from fanfold.errors import CloudError, ModelDenied
from fanfold.ports import ModelRequest
from fanfold.run.model_pass import Pass, opened, sealed
from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.messages_wire import Refusal, text
from tests.fakes.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

KEY = "-".join(("sk", "ant", "fake", "of", "the", "team"))
SECRET = "-".join(("what", "passes", "are", "sealed", "with"))
BODY = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "x"}],
}


def a_pass(seconds: float = 60.0, secret: str = SECRET) -> str:
    return sealed(Pass("r1", "1.2.1", int(time.time() + seconds)), secret)


@contextmanager
def proxy(upstream: str, key: Callable[[bool], str] = lambda _: KEY) -> Generator[str]:
    server = ModelApi(("127.0.0.1", 0), upstream=upstream, key=key, secret=lambda: SECRET)
    with serving(server) as url:
        yield url


def post(url: str, path: str = "/v1/messages", **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.post(url + path, json=BODY, headers=named, timeout=10)


def test_a_worker_with_a_pass_talks_to_the_model(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeMessagesApi(text("Hello."), key=KEY) as api, proxy(api.url) as url:
        model = ClaudeModel(None, auth_token=a_pass(), base_url=url)
        request = ModelRequest("claude-sonnet-5-5", [], [], BODY["messages"], 100)  # pyright: ignore[reportArgumentType]
        reply = model.send(request, timeout_s=10)
    assert reply.content == [{"type": "text", "text": "Hello."}]
    (seen,) = api.requests
    assert seen.headers.get("x-api-key") == KEY
    assert "authorization" not in {name.lower() for name in seen.headers}
    assert KEY not in repr(reply) + caplog.text
    assert SECRET not in caplog.text
    assert "/v1/messages of r1/1.2.1: 200" in caplog.text


SHOWN: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "the key itself": lambda: KEY,
    "one that is over": lambda: a_pass(-1),
    "one of another secret": lambda: a_pass(secret="another"),
    "one cut short": lambda: a_pass()[:-1],
    "one changed": lambda: a_pass().replace("ffpass_", "ffpass_x"),
    "one of no letters": lambda: "ffpass_!.x",
    "an empty one": lambda: "ffpass_.",
}


@pytest.mark.parametrize("what", SHOWN)
@pytest.mark.parametrize("header", ["x_api_key", "authorization"])
def test_without_a_pass_that_holds_nothing_reaches_the_model(what: str, header: str) -> None:
    shown = SHOWN[what]()
    value = shown if header == "x_api_key" or not shown else f"Bearer {shown}"
    with FakeMessagesApi(key=KEY) as api, proxy(api.url) as url:
        answer = post(url, **{header: value})
    assert answer.status_code == 401
    assert api.requests == []
    assert "no pass that is valid" in answer.text
    assert not shown or shown not in answer.text


def test_a_worker_chooses_neither_key_nor_account() -> None:
    with FakeMessagesApi(key=KEY) as api, proxy(api.url) as url:
        post(url, authorization=f"Bearer {a_pass()}", x_api_key="", cookie="a=b", x_other="1")
    (seen,) = api.requests
    sent = {name.lower() for name in seen.headers}
    assert not sent & {"cookie", "x-other", "authorization"}
    assert seen.headers.get("x-api-key") == KEY


@pytest.mark.parametrize("path", ["/v1/models", "/v1/files", "/v1/messages/../files", "/"])
def test_only_messages_are_passed_on(path: str) -> None:
    with FakeMessagesApi(key=KEY) as api, proxy(api.url) as url:
        answer = post(url, path, x_api_key=a_pass())
    assert answer.status_code == 404
    assert api.requests == []


@pytest.mark.parametrize("length", ["", f"content-length: {BODY_BYTES + 1}", "content-length: x"])
def test_a_body_without_a_length_or_with_too_great_a_one_is_refused(length: str) -> None:
    lines = ("POST /v1/messages HTTP/1.1", "host: x", f"x-api-key: {a_pass()}", length)
    head = "\r\n".join([line for line in lines if line]) + "\r\n\r\n"
    with FakeMessagesApi(key=KEY) as api, proxy(api.url) as url:
        place = ("127.0.0.1", int(url.rpartition(":")[2]))
        client = socket.create_connection(place, 10)
        client.sendall(head.encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 413")
        client.close()
    assert api.requests == []


def test_refusals_of_the_api_come_back_as_they_are() -> None:
    with (
        FakeMessagesApi(Refusal(429, headers={"retry-after": "7"}), key=KEY) as api,
        proxy(api.url) as url,
    ):
        answer = post(url, x_api_key=a_pass())
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert KEY not in answer.text + str(answer.headers)


def test_a_rotated_key_is_taken_up_when_the_old_one_is_refused() -> None:
    asked: list[bool] = []

    def key(fresh: bool) -> str:
        asked.append(fresh)
        return KEY if fresh else "the-old-key"

    with FakeMessagesApi(key=KEY) as api, proxy(api.url, key) as url:
        assert post(url, x_api_key=a_pass()).status_code == 200
    assert asked == [False, True]


def test_a_key_that_is_refused_for_good_is_the_workers_error_too() -> None:
    with FakeMessagesApi(key="another") as api, proxy(api.url) as url:
        model = ClaudeModel(None, auth_token=a_pass(), base_url=url)
        request = ModelRequest("claude-sonnet-5-5", [], [], BODY["messages"], 100)  # pyright: ignore[reportArgumentType]
        with pytest.raises(ModelDenied) as denied:
            model.send(request, timeout_s=10)
    assert KEY not in repr(denied.value) + str(denied.value)


def test_an_api_that_is_not_reached_is_told_without_a_word_of_the_key(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    def unreadable(_: bool) -> str:
        raise CloudError(f"cannot read secret 'x' {KEY}")

    with proxy("http://127.0.0.1:9") as url:
        refused = post(url, x_api_key=a_pass())
    with proxy("http://127.0.0.1:9", unreadable) as url:
        unread = post(url, x_api_key=a_pass())
    for answer in (refused, unread):
        assert answer.status_code == 502
        assert json.loads(answer.text)["error"]["type"] == "api_error"
        assert KEY not in answer.text
    assert KEY not in caplog.text + "".join(capfd.readouterr())


def test_a_pass_says_whose_it_is_until_its_time_is_over() -> None:
    given = Pass("5ce7a10000", "phase-1.2.3", 2_000)
    shown = sealed(given, SECRET)
    assert opened(shown, SECRET, 1_999.0) == given
    assert opened(shown, SECRET, 2_000.0) is None
    assert SECRET not in shown
