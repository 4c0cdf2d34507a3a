"""What each fault of the Messages API becomes: one error, one request, one line, no key."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.claude.bedrock import BedrockModel
from fanfold.adapters.claude.messages import ClaudeModel, MessagesModel
from fanfold.errors import (
    ModelDenied,
    ModelError,
    ModelRejected,
    ModelUnavailable,
    StreamDropped,
)
from fanfold.ports import ModelRequest
from tests.fakes.bedrock import sign_in, well_signed
from tests.fakes.messages_api import FakeMessagesApi, refused_url
from tests.fakes.messages_wire import Cut, Ending, Raw, Refusal, Reply, text, tool

if TYPE_CHECKING:
    from tests.fakes.messages_wire import Answer

KEY = "-".join(("fake", "key", "of", "the", "tests"))
REQUEST = ModelRequest(
    model="claude-sonnet-5-5",
    system=[{"type": "text", "text": "You are a test."}],
    tools=[],
    messages=[{"role": "user", "content": "Begin."}],
    max_tokens=1000,
)
BAD_EVENT = b'event: message_start\ndata: {"type": "message_start", "message": \n\n'
ODD_EVENT = b'event: message_start\ndata: {"type": "message_start", "message": 7}\n\n'

DROPPED: dict[str, Answer] = {
    "before the first event": text(cut=Cut.BEFORE_START),
    "in a text": text(cut=Cut.MID_TEXT),
    "in a tool's input": tool(cut=Cut.MID_TOOL),
    "before the stop reason": tool(cut=Cut.BEFORE_STOP_REASON),
    "by a reset in a text": text(cut=Cut.MID_TEXT, ending=Ending.RESET),
    "by a reset in a tool's input": tool(cut=Cut.MID_TOOL, ending=Ending.RESET),
    "by a hang-up in a text": text(cut=Cut.MID_TEXT, ending=Ending.HANG_UP),
    "by a hang-up before the first event": text(cut=Cut.BEFORE_START, ending=Ending.HANG_UP),
    "by an error event": text(
        cut=Cut.MID_TEXT, error={"type": "overloaded_error", "message": "too much"}
    ),
    "by a tool input that does not end": tool(truncate=4),
    "by a tool input that is no object": Reply(
        [{"type": "tool_use", "id": "toolu_1", "name": "read", "input": ["a"]}]
    ),
    "by a tool call without a name": Reply(
        [{"type": "tool_use", "id": "toolu_1", "name": "", "input": {"a": 1}}]
    ),
    "by garbage": Raw(BAD_EVENT),
    "by an event of another shape": Raw(ODD_EVENT),
    "by bytes that are no text": Raw(b"event: message_start\ndata: \xff\xfe\n\n"),
    "by a page instead of a reply": Raw(b"<html>hello</html>", content_type="text/html"),
    "by an empty answer": Raw(b""),
}
REFUSED: dict[str, tuple[Refusal, type[ModelError]]] = {
    "429": (Refusal(429, "rate_limit_error"), ModelUnavailable),
    "500": (Refusal(500), ModelUnavailable),
    "502": (Refusal(502), ModelUnavailable),
    "503": (Refusal(503), ModelUnavailable),
    "504": (Refusal(504, "timeout_error"), ModelUnavailable),
    "529": (Refusal(529, "overloaded_error"), ModelUnavailable),
    "401": (Refusal(401, "authentication_error", f"invalid x-api-key {KEY}"), ModelDenied),
    "402": (Refusal(402, "billing_error"), ModelDenied),
    "403": (Refusal(403, "permission_error"), ModelDenied),
    "404": (Refusal(404, "not_found_error"), ModelDenied),
    "307": (Refusal(307, headers={"location": "http://127.0.0.1:1/"}), ModelDenied),
    "400": (Refusal(400, "invalid_request_error", "first line\nsecond line"), ModelRejected),
    "413": (Refusal(413, "request_too_large"), ModelRejected),
    "422": (Refusal(422, "invalid_request_error"), ModelRejected),
    "400, no credit": (
        Refusal(400, "invalid_request_error", "Your credit balance is too low"),
        ModelDenied,
    ),
    "429, spend limit": (
        Refusal(429, "rate_limit_error", details={"error_code": "contract_spend_limit_reached"}),
        ModelDenied,
    ),
}


Fail = Callable[..., ModelError]
Connect = Callable[..., MessagesModel]


@pytest.fixture(scope="module", params=["anthropic", "bedrock"])
def line(request: pytest.FixtureRequest) -> Iterator[tuple[FakeMessagesApi, Connect]]:
    """One server for all tests, and what connects to it."""
    with pytest.MonkeyPatch.context() as patch:
        sign_in(patch)
        if request.param == "bedrock":
            with FakeMessagesApi(signature=well_signed) as api:
                yield api, partial(BedrockModel, base_url=api.url)
        else:
            with FakeMessagesApi(key=KEY) as api:
                yield api, partial(ClaudeModel, KEY, base_url=api.url)


@pytest.fixture
def api(line: tuple[FakeMessagesApi, Connect]) -> FakeMessagesApi:
    fresh, _ = line
    fresh.requests.clear()
    fresh.replies.clear()
    return fresh


@pytest.fixture
def connect(line: tuple[FakeMessagesApi, Connect]) -> Connect:
    return line[1]


@pytest.fixture(scope="module")
def model(line: tuple[FakeMessagesApi, Connect]) -> Iterator[MessagesModel]:
    """One client for all tests: no fault may spoil the connections of the next."""
    model = line[1]()
    yield model
    model.close()


@pytest.fixture
def fail(api: FakeMessagesApi, model: MessagesModel) -> Fail:
    """Sends one request that is answered so; gives the error, after exactly one request."""

    def send(answer: Answer, timeout_s: float = 5.0) -> ModelError:
        api.replies.append(answer)
        with pytest.raises(ModelError) as raised:
            model.send(REQUEST, timeout_s=timeout_s)
        assert len(api.calls) == 1
        return raised.value

    return send


def assert_clear(error: ModelError) -> None:
    assert str(error)
    assert "\n" not in str(error)
    assert KEY not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("answer", DROPPED.values(), ids=DROPPED.keys())
def test_reply_that_is_not_whole_is_dropped_and_billed(fail: Fail, answer: Answer) -> None:
    error = fail(answer)
    assert type(error) is StreamDropped
    assert error.billed
    assert_clear(error)


@pytest.mark.parametrize(("refusal", "kind"), REFUSED.values(), ids=REFUSED.keys())
def test_refusal_is_translated_and_not_retried(
    fail: Fail, refusal: Refusal, kind: type[ModelError]
) -> None:
    error = fail(refusal)
    assert type(error) is kind
    assert_clear(error)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "600"}, 600.0),
    ],
)
def test_retry_after_is_handed_on(
    fail: Fail, headers: dict[str, str], wait_s: float | None
) -> None:
    error = fail(Refusal(429, "rate_limit_error", headers=headers))
    assert isinstance(error, ModelUnavailable)
    assert error.retry_after == wait_s
    assert not error.billed


def test_gateway_timeout_counts_as_billed(fail: Fail) -> None:
    error = fail(Refusal(504, "timeout_error"))
    assert isinstance(error, ModelUnavailable)
    assert error.billed


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("overloaded_error", ModelUnavailable),
        ("api_error", ModelUnavailable),
        ("permission_error", ModelDenied),
        ("invalid_request_error", ModelRejected),
    ],
)
def test_error_event_before_the_reply_is_like_a_refusal(
    fail: Fail, kind: str, outcome: type[ModelError]
) -> None:
    error = fail(text(cut=Cut.BEFORE_START, error={"type": kind, "message": "no"}))
    assert type(error) is outcome


def test_connection_refused_is_not_billed() -> None:
    with pytest.raises(ModelUnavailable) as raised:
        ClaudeModel(KEY, base_url=refused_url()).send(REQUEST, timeout_s=5)
    assert type(raised.value) is ModelUnavailable
    assert not raised.value.billed
    assert_clear(raised.value)


@pytest.mark.parametrize("at", [0, 3])
def test_silence_is_a_dropped_stream(api: FakeMessagesApi, connect: Connect, at: int) -> None:
    api.replies.append(text(silence_s=2, silence_at=at))
    impatient = connect(silence_s=0.3)
    with pytest.raises(StreamDropped, match=r"nothing for 0\.3 s"):
        impatient.send(REQUEST, timeout_s=30)
    assert len(api.calls) == 1


def test_silence_is_no_longer_than_the_call(fail: Fail) -> None:
    error = fail(text(silence_s=2), timeout_s=0.3)
    assert type(error) is StreamDropped


def test_answer_that_never_comes_is_a_dropped_stream(
    api: FakeMessagesApi, connect: Connect
) -> None:
    def late(_: object) -> Answer:
        api.stopped.wait(2)
        return text()

    api.replies.append(late)
    with pytest.raises(StreamDropped):
        connect(silence_s=0.3).send(REQUEST, timeout_s=30)
    assert len(api.calls) == 1


def test_slow_drip_is_no_silence(api: FakeMessagesApi, connect: Connect) -> None:
    api.replies.append(text("Slow but sure.", pause_s=0.1))
    patient = connect(silence_s=0.4)
    reply = patient.send(REQUEST, timeout_s=30)
    assert reply.content == [{"type": "text", "text": "Slow but sure."}]


def test_endless_drip_is_dropped(fail: Fail) -> None:
    error = fail(text("word " * 200, pause_s=0.05), timeout_s=0.3)
    assert type(error) is StreamDropped
    assert "not complete after 0.3 s" in str(error)


@pytest.mark.parametrize("ending", [Ending.POLITE, Ending.HANG_UP])
def test_reply_without_message_stop_is_whole(
    api: FakeMessagesApi, model: MessagesModel, ending: Ending
) -> None:
    answer = tool("read", {"file_path": "a"}, cut=Cut.BEFORE_MESSAGE_STOP, ending=ending)
    api.replies.append(answer)
    reply = model.send(REQUEST, timeout_s=5)
    assert reply.stop_reason == "tool_use"
    assert reply.content[-1]["input"] == {"file_path": "a"}
