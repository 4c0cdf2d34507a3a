"""What ClaudeModel sends and what it makes of a good reply."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.adapters.claude.messages import ClaudeModel
from fanfold.errors import InvalidSettings, MissingKey
from fanfold.ports import ModelReply, ModelRequest
from fanfold.run.attempt import Usage
from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.messages_wire import Reply, text, thinking, tool

if TYPE_CHECKING:
    from tests.fakes.messages_wire import Answer

KEY = "-".join(("fake", "key", "of", "the", "tests"))
REQUEST = ModelRequest(
    model="claude-sonnet-5-5",
    system=[{"type": "text", "text": "Be a test.", "cache_control": {"type": "ephemeral"}}],
    tools=[{"name": "read", "description": "Reads.", "input_schema": {"type": "object"}}],
    messages=[{"role": "user", "content": [{"type": "text", "text": "Begin."}]}],
    max_tokens=1000,
    effort="low",
)


Send = Callable[..., ModelReply]


@pytest.fixture
def send(api: FakeMessagesApi, model: ClaudeModel) -> Send:
    """Sends a request that is answered so."""

    def call(answer: Answer, request: ModelRequest = REQUEST) -> ModelReply:
        api.replies.append(answer)
        return model.send(request, timeout_s=5)

    return call


def test_request_goes_out_as_it_is(send: Send, api: FakeMessagesApi) -> None:
    send(text())
    body = api.calls[0].body
    assert body == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1000,
        "system": REQUEST.system,
        "tools": REQUEST.tools,
        "messages": REQUEST.messages,
        "output_config": {"effort": "low"},
        "stream": True,
    }


def test_empty_parts_are_left_out(send: Send, api: FakeMessagesApi) -> None:
    bare = msgspec.structs.replace(REQUEST, system=[], tools=[], effort=None)
    send(text(), request=bare)
    assert set(api.calls[0].body) == {"model", "max_tokens", "messages", "stream"}


def test_later_request_keeps_the_bytes_of_the_earlier_one(send: Send, api: FakeMessagesApi) -> None:
    first = send(thinking())
    longer = msgspec.structs.replace(
        REQUEST,
        messages=[
            *REQUEST.messages,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": "Go on."},
        ],
    )
    send(text(), request=longer)
    opening = msgspec.json.encode(REQUEST.messages)[:-1]
    assert opening in api.calls[0].raw
    assert opening in api.calls[1].raw
    before, _, _ = api.calls[0].raw.partition(opening)
    assert api.calls[1].raw.startswith(before + opening)


def test_reply_is_read_whole(send: Send) -> None:
    call = tool("read", {"file_path": "ä.md", "view_range": [1, -1]}, message_id="msg_1")
    reply = send(call)
    assert reply.message_id == "msg_1"
    assert reply.content == call.content
    assert reply.stop_reason == "tool_use"
    assert reply.model == "claude-sonnet-5-5"
    assert reply.latency_ms >= 0


UNKNOWN = {"type": "hologram", "payload": {"deep": [1, None]}, "signature": "abc"}
REDACTED = {"type": "redacted_thinking", "data": "b3BhcXVl"}


@pytest.mark.parametrize(
    "content",
    [
        thinking().content,
        [UNKNOWN, {"type": "text", "text": "and so on"}],
        [REDACTED, *tool("glob", {"pattern": "*"}).content],
        tool("submit", {}).content,
        [{"type": "text", "text": "𝄞 wide 😀 characters " * 20}],
        [],
    ],
    ids=["thinking", "unknown block", "redacted thinking", "empty input", "wide text", "nothing"],
)
def test_content_comes_back_unchanged(send: Send, content: list[dict[str, Any]]) -> None:
    reply = send(Reply(content))
    assert reply.content == content


def test_blank_text_is_left_out(send: Send) -> None:
    reply = send(Reply([{"type": "text", "text": " \n"}, {"type": "text", "text": "x"}]))
    assert reply.content == [{"type": "text", "text": "x"}]


@pytest.mark.parametrize(
    "reason", ["max_tokens", "refusal", "model_context_window_exceeded", "pause_turn", "new_one"]
)
def test_other_stop_reasons_are_handed_on(send: Send, reason: str) -> None:
    reply = send(text("partly", stop_reason=reason))
    assert reply.stop_reason == reason


def test_tool_call_cut_off_by_max_tokens_has_no_input(send: Send) -> None:
    reply = send(tool("write", {"file_path": "a"}, stop_reason="max_tokens", truncate=5))
    assert reply.stop_reason == "max_tokens"
    assert reply.content[-1]["input"] == {}


def test_events_and_deltas_of_unknown_types_are_passed_over(send: Send) -> None:
    strange = 'event: aurora\ndata: {"type": "aurora", "index": "north"}\n\n: a comment\n\n'
    reply = send(text("fine", extra=(strange,)))
    assert reply.content == [{"type": "text", "text": "fine"}]


FULL = {
    "input_tokens": 5,
    "output_tokens": 70,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 900,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
}
COMPACTION = {"type": "compaction", "input_tokens": 1000, "output_tokens": 50}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (FULL, Usage(5, 70, 10, 20, 900)),
        ({**FULL, "cache_creation": None}, Usage(5, 70, 30, 0, 900)),
        ({**FULL, "cache_creation_input_tokens": None}, Usage(5, 70, 10, 20, 900)),
        ({**FULL, "cache_creation_input_tokens": 45}, Usage(5, 70, 25, 20, 900)),
        ({"input_tokens": 9, "output_tokens": 3}, Usage(9, 3)),
        ({"input_tokens": 10**15, "output_tokens": 3}, Usage(10**15, 3)),
        ({**FULL, "service_tier": "standard", "inference_geo": None}, Usage(5, 70, 10, 20, 900)),
    ],
)
def test_usage_is_read_by_class(send: Send, usage: dict[str, Any], expected: Usage) -> None:
    reply = send(text(usage=usage))
    assert reply.usage == expected


@pytest.mark.parametrize("where", ["start", "end"])
def test_compaction_is_counted(send: Send, where: str) -> None:
    iterations = [{"type": "message", "input_tokens": 5, "output_tokens": 70}, COMPACTION]
    if where == "start":
        reply = send(text(usage={**FULL, "iterations": iterations}))
    else:
        reply = send(text(usage=FULL, delta_usage={"iterations": iterations}))
    assert reply.usage == Usage(1005, 120, 10, 20, 900)


def test_last_word_on_usage_counts(send: Send) -> None:
    end = {"input_tokens": 8, "output_tokens": 99, "cache_read_input_tokens": None}
    reply = send(text(usage=FULL, delta_usage=end))
    assert reply.usage == Usage(8, 99, 10, 20, 900)


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"input_tokens": 0, "output_tokens": 0},
        {"input_tokens": -5, "output_tokens": -7},
        {"input_tokens": "many", "output_tokens": 1.5},
        {"input_tokens": True, "output_tokens": None},
    ],
    ids=["missing", "zero", "negative", "no numbers", "odd"],
)
def test_usage_that_cannot_be_is_estimated_on_the_dear_side(
    send: Send, api: FakeMessagesApi, usage: dict[str, Any]
) -> None:
    words = "So many words. " * 40
    reply = send(text(words, usage=usage))
    assert reply.usage.context >= len(msgspec.json.encode(api.calls[0].body["messages"])) // 4
    assert reply.usage.output >= len(words) // 4


def test_many_threads_share_one_client() -> None:
    with FakeMessagesApi(key=KEY) as api:
        api.default = lambda body: text(f"to {body['messages'][0]['content']}", pause_s=0.01)
        model = ClaudeModel(KEY, base_url=api.url)

        def ask(number: int) -> ModelReply:
            message = {"role": "user", "content": str(number)}
            request = msgspec.structs.replace(REQUEST, messages=[message])
            return model.send(request, timeout_s=10)

        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(ask, range(64)))
    assert [r.content[0]["text"] for r in replies] == [f"to {n}" for n in range(64)]
    assert len({r.message_id for r in replies}) == 64


def test_key_is_sent_without_the_blanks_around_it() -> None:
    with FakeMessagesApi(key=KEY) as api:
        ClaudeModel(f" {KEY}\n", base_url=api.url).send(REQUEST, timeout_s=5)
        ClaudeModel(auth_token=KEY, base_url=api.url).send(REQUEST, timeout_s=5)
    assert len(api.calls) == 2


def test_proxy_of_the_environment_is_not_asked_for_the_loopback(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    reply = send(text("direct"))
    assert reply.content[0]["text"] == "direct"


@pytest.mark.parametrize("key", ["", "  ", None])
def test_missing_key_is_said(key: str | None) -> None:
    with pytest.raises(MissingKey, match="ANTHROPIC_API_KEY"):
        ClaudeModel(key)


@pytest.mark.parametrize("key", ["two\nlines", "two words", "kéy", "nul\0"])
def test_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    with pytest.raises(MissingKey) as raised:
        ClaudeModel(key)
    assert key not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["api.example.com", "ftp://x", "http://", "http://x:0", "http://[x"]
)
def test_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="ANTHROPIC_BASE_URL"):
        ClaudeModel(KEY, base_url=url)


def test_import_and_construction_leave_the_heavy_packages_alone() -> None:
    program = """
import sys
import fanfold.adapters.claude.messages, fanfold.adapters.claude.prices
import fanfold.adapters.local.scripted_model
fanfold.adapters.claude.messages.ClaudeModel("fake")
fanfold.adapters.claude.prices.ModelPrices()
heavy = {"anthropic", "httpx2", "genai_prices", "boto3", "botocore", "pydantic"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_call_does_not_import_boto3() -> None:
    with FakeMessagesApi() as api:
        program = f"""
import sys
from fanfold.adapters.claude.messages import ClaudeModel
from fanfold.adapters.claude.prices import ModelPrices
from fanfold.ports import ModelRequest
request = ModelRequest("claude-sonnet-5-5", [], [], [{{"role": "user", "content": "x"}}], 10)
reply = ClaudeModel("fake", base_url={api.url!r}).send(request, timeout_s=20)
ModelPrices().cost(reply.model, reply.usage)
sys.exit(1 if {{"boto3", "botocore"}} & set(sys.modules) else 0)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
