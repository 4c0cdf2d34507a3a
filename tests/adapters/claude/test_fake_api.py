"""The fake itself, where the SDK's streaming does not reach it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.messages_wire import Refusal, text, tool

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(api: FakeMessagesApi, words: str, path: str = "/v1/messages", **headers: str) -> Any:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": words}]}
    request = urllib.request.Request(api.url + path, json.dumps(body).encode(), headers)
    with DIRECT.open(request, timeout=10) as answer:
        return json.loads(answer.read())


def test_plain_request_gets_one_object() -> None:
    with FakeMessagesApi(tool("glob", {"pattern": "*"})) as api:
        answer = post(api, "hello")
    assert answer["stop_reason"] == "tool_use"
    assert answer["content"][1]["input"] == {"pattern": "*"}
    assert answer["usage"]["input_tokens"] > 0


def test_rules_come_before_the_sequence_and_the_default_last() -> None:
    with FakeMessagesApi(text("next"), default=text("default")) as api:
        api.when("ä", text("first"), text("then"))
        words = ["ä", "x", "ä", "ä", "x"]
        said = [post(api, word)["content"][0]["text"] for word in words]
    assert said == ["first", "next", "then", "then", "default"]


def test_tokens_are_counted_without_using_up_a_reply() -> None:
    with FakeMessagesApi(text("next")) as api:
        assert post(api, "x" * 400, "/v1/messages/count_tokens")["input_tokens"] > 100
        assert post(api, "x")["content"][0]["text"] == "next"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": "right"}, 200),
        ({"Authorization": "Bearer right"}, 200),
        ({"x-api-key": "wrong"}, 401),
        ({}, 401),
    ],
)
def test_key_is_checked(headers: dict[str, str], status: int) -> None:
    with FakeMessagesApi(key="right") as api:
        try:
            post(api, "x", **headers)
            got = 200
        except urllib.error.HTTPError as refused:
            got = refused.code
    assert got == status


def test_refusal_carries_its_headers() -> None:
    refusal = Refusal(429, "rate_limit_error", headers={"retry-after": "7"})
    with FakeMessagesApi(refusal) as api, pytest.raises(urllib.error.HTTPError) as raised:
        post(api, "x")
    assert raised.value.headers["retry-after"] == "7"
