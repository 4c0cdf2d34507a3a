"""What every model does with one and the same script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.adapters.claude.bedrock import BedrockModel
from fanfold.adapters.claude.messages import ClaudeModel
from fanfold.adapters.local.script import Call, Script, Turn, failing, submit, use
from fanfold.adapters.local.scripted_model import scripted
from fanfold.errors import ModelRejected, ModelUnavailable
from fanfold.ports import ModelReply, ModelRequest
from fanfold.run.attempt import AttemptLimits, Context, Purpose, TaskText
from tests.fakes.bedrock import sign_in, well_signed
from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.scripted_agents import ScriptedAgents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanfold.ports import Model

    Open = Callable[[Script], Model]

TASK = "Write the parser"
CONTEXT = Context(
    run_id="r1",
    attempt="1.2.1",
    unit="1.2",
    role="implementer",
    purpose=Purpose.WORK,
    base_tree="",
    tasks=(TaskText("1.2", TASK),),
    limits=AttemptLimits(slice=1_000_000),
    model="claude-sonnet-5-5",
)
BREAKPOINT = {"type": "ephemeral"}
OPENING = ModelRequest(
    model="claude-sonnet-5-5",
    system=[{"type": "text", "text": "Rules. " * 50, "cache_control": BREAKPOINT}],
    tools=[],
    messages=[{"role": "user", "content": [{"type": "text", "text": f"Do this.\n{TASK}"}]}],
    max_tokens=1000,
)
READ = Turn("Let me look.", (Call("read", {"file_path": "a.py"}), Call("glob", {"pattern": "*"})))


def open_scripted(script: Script) -> Iterator[Model]:
    yield scripted(script)(CONTEXT)


def open_claude(script: Script) -> Iterator[Model]:
    key = "-".join(("a", "fake", "key"))
    with FakeMessagesApi(default=ScriptedAgents(script), key=key) as api:
        yield ClaudeModel(key, base_url=api.url)


def open_bedrock(script: Script) -> Iterator[Model]:
    with FakeMessagesApi(default=ScriptedAgents(script), signature=well_signed) as api:
        yield BedrockModel(base_url=api.url)


@pytest.fixture(
    params=[open_scripted, open_claude, open_bedrock], ids=["scripted", "claude", "bedrock"]
)
def open_model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    sign_in(monkeypatch)
    opened: list[Iterator[Model]] = []

    def start(script: Script) -> Model:
        opened.append(request.param(script))
        return next(opened[-1])

    yield start
    for model in opened:
        next(model, None)


def answered(request: ModelRequest, reply: ModelReply, *results: str) -> ModelRequest:
    """The request that follows when the tools gave these results."""
    calls = [block for block in reply.content if block["type"] == "tool_use"]
    blocks: list[dict[str, Any]] = [
        {"type": "tool_result", "tool_use_id": call["id"], "content": result}
        for call, result in zip(calls, results, strict=True)
    ]
    more = [
        {"role": "assistant", "content": reply.content},
        {"role": "user", "content": blocks or [{"type": "text", "text": "Go on."}]},
    ]
    return msgspec.structs.replace(request, messages=[*request.messages, *more])


def test_turns_come_in_order_and_then_words(open_model: Open) -> None:
    model = open_model(Script.of({TASK: [READ, submit("All done.")]}))
    first = model.send(OPENING, timeout_s=20)
    assert [block.get("name", block["type"]) for block in first.content] == ["text", "read", "glob"]
    assert first.content[1]["input"] == {"file_path": "a.py"}
    assert first.stop_reason == "tool_use"
    second = model.send(answered(OPENING, first, "x = 1", "a.py"), timeout_s=20)
    assert second.content[0]["input"] == {"status": "done", "summary": "All done."}
    third = model.send(answered(OPENING, second, "Submitted."), timeout_s=20)
    rest = model.send(answered(answered(OPENING, first, "", ""), second, "ok"), timeout_s=20)
    assert third.content == second.content
    assert rest.stop_reason == "end_turn"
    assert [block["type"] for block in rest.content] == ["text"]


def test_same_request_gets_the_same_turn(open_model: Open) -> None:
    model = open_model(Script.of({TASK: [READ, submit()]}))
    first, again = (model.send(OPENING, timeout_s=20) for _ in range(2))
    assert first.message_id
    assert [block.get("input") for block in again.content] == [None, *(c.input for c in READ.calls)]


def test_message_and_call_ids_are_unique_in_a_conversation(open_model: Open) -> None:
    model = open_model(Script.of({TASK: [READ, READ, READ]}))
    request, replies = OPENING, list[ModelReply]()
    for _ in range(3):
        replies.append(model.send(request, timeout_s=20))
        request = answered(request, replies[-1], "", "")
    assert len({reply.message_id for reply in replies}) == 3
    ids = [block["id"] for reply in replies for block in reply.content if "id" in block]
    assert len(set(ids)) == len(ids) == 6


def test_turn_may_depend_on_the_results(open_model: Open) -> None:
    script = Script.of(
        {TASK: [READ, lambda seen: submit(" | ".join(r.text for r in seen.results))]}
    )
    model = open_model(script)
    first = model.send(OPENING, timeout_s=20)
    second = model.send(answered(OPENING, first, "x = 1", "a.py"), timeout_s=20)
    assert second.content[0]["input"]["summary"] == "x = 1 | a.py"


def test_usage_counts_what_is_new_as_written_and_the_rest_as_read(open_model: Open) -> None:
    model = open_model(Script.of({TASK: [READ, READ]}))
    first = model.send(OPENING, timeout_s=20)
    second = model.send(answered(OPENING, first, "x" * 400, "y"), timeout_s=20)
    assert first.usage.output > 0
    assert first.usage.cache_read == 0
    assert second.usage.cache_read >= first.usage.context * 0.8
    assert second.usage.cache_write_5m >= 100
    assert second.usage.context > first.usage.context


def test_without_a_breakpoint_nothing_is_cached(open_model: Open) -> None:
    model = open_model(Script.of({TASK: [READ]}))
    bare = msgspec.structs.replace(OPENING, system=[{"type": "text", "text": "Rules."}])
    usage = model.send(bare, timeout_s=20).usage
    assert usage.input == usage.context > 0


def test_stop_reason_of_the_script_is_kept(open_model: Open) -> None:
    model = open_model(Script.of({TASK: [Turn("Half a", stop_reason="max_tokens")]}))
    assert model.send(OPENING, timeout_s=20).stop_reason == "max_tokens"


def test_task_that_nobody_scripted_is_rejected(open_model: Open) -> None:
    with pytest.raises(ModelRejected, match="script"):
        open_model(Script.of({"Another task": [READ]})).send(OPENING, timeout_s=20)


def test_failure_in_the_script_is_raised_once(open_model: Open) -> None:
    overloaded = ModelUnavailable("overloaded", retry_after=3.0)
    model = open_model(Script.of({TASK: [failing(use("bash", command="ls"), overloaded)]}))
    with pytest.raises(ModelUnavailable) as raised:
        model.send(OPENING, timeout_s=20)
    assert raised.value.retry_after == 3.0
    assert not raised.value.billed
    assert model.send(OPENING, timeout_s=20).content[0]["name"] == "bash"
