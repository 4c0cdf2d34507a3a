"""The subagent against a Messages API that fails in every way: real SDK, real HTTP.

Whatever happens there is one exit, nothing of a broken reply is carried out, and the money in the
report is what the events say and never above the slice.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.claude.messages import ClaudeModel
from fanfold.adapters.claude.prices import ModelPrices
from fanfold.agent.attempt import run_attempt
from fanfold.agent.desk import Desk
from fanfold.agent.log import AttemptLog
from fanfold.run.attempt import AttemptLimits, Context, Exit, Purpose, TaskText
from fanfold.run.attempt_fold import fold_attempt
from fanfold.run.events import AttemptClaimed
from tests.fakes.memory import ManualClock, MemoryEventStore
from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.messages_wire import Cut, Ending, Raw, Refusal, Reply, text, tool
from tests.fakes.workspace import MemoryWorkspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from fanfold.ports import ModelReply, ModelRequest
    from tests.fakes.messages_wire import Answer

KEY = "-".join(("fake", "key", "of", "the", "agent"))
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "model-faults.md"
SLICE = 2_000_000
OVERLOADED = Refusal(529, "overloaded_error")
WRONG = {"file_path": "wrong.py", "content": "never\n" * 20}
DONE = tool("submit", {"status": "done", "summary": "written"})
WRITE = tool("write", {"file_path": "right.py", "content": "always\n"})
HUGE_USAGE = {"input_tokens": 90_000_000, "output_tokens": 5}

TABLE: dict[str, tuple[list[Answer], Exit]] = {
    "nothing wrong": ([], Exit.SUBMITTED),
    "429": ([Refusal(429, "rate_limit_error")] * 2, Exit.SUBMITTED),
    "429 with retry-after": (
        [Refusal(429, "rate_limit_error", headers={"retry-after": "7"})],
        Exit.SUBMITTED,
    ),
    "529 for a while": ([OVERLOADED] * 4, Exit.SUBMITTED),
    "529 for good": ([OVERLOADED] * 5, Exit.MODEL_UNAVAILABLE),
    "500": ([Refusal(500)], Exit.SUBMITTED),
    "401": ([Refusal(401, "authentication_error")], Exit.MODEL_DENIED),
    "404": ([Refusal(404, "not_found_error")], Exit.MODEL_DENIED),
    "400": ([Refusal(400, "invalid_request_error", "bad")], Exit.MODEL_REJECTED),
    "400 too long": (
        [Refusal(400, "invalid_request_error", "prompt is too long: 9 > 8")],
        Exit.CONTEXT_FULL,
    ),
    "stream dropped in a text": ([text(cut=Cut.MID_TEXT)], Exit.SUBMITTED),
    "stream dropped in a tool's input": ([tool("write", WRONG, cut=Cut.MID_TOOL)], Exit.SUBMITTED),
    "stream dropped before its stop reason": (
        [tool("write", WRONG, cut=Cut.BEFORE_STOP_REASON)],
        Exit.SUBMITTED,
    ),
    "connection reset": (
        [tool("write", WRONG, cut=Cut.MID_TOOL, ending=Ending.RESET)],
        Exit.SUBMITTED,
    ),
    "streams always dropped": ([text(cut=Cut.MID_TEXT)] * 5, Exit.MODEL_UNAVAILABLE),
    "garbage": ([Raw(b"event: message_start\ndata: {nonsense\n\n")], Exit.SUBMITTED),
    "a page": ([Raw(b"<html/>", content_type="text/html")], Exit.SUBMITTED),
    "truncated tool input": ([tool("write", WRONG, truncate=9)], Exit.SUBMITTED),
    "max_tokens": ([tool("write", WRONG, stop_reason="max_tokens")], Exit.SUBMITTED),
    "refusal": ([tool("write", WRONG, stop_reason="refusal")], Exit.REFUSED),
    "full window": (
        [tool("write", WRONG, stop_reason="model_context_window_exceeded")],
        Exit.CONTEXT_FULL,
    ),
    "empty content": ([Reply([])], Exit.SUBMITTED),
    "unknown block": ([Reply([{"type": "hologram", "data": "x"}])], Exit.SUBMITTED),
    "slow drip": ([text(pause_s=0.01)], Exit.SUBMITTED),
    "no usage": ([text(usage={})], Exit.SUBMITTED),
    "usage of zero": ([text(usage={"input_tokens": 0, "output_tokens": 0})], Exit.SUBMITTED),
    "usage that makes no sense": (
        [text(usage={"input_tokens": -5, "output_tokens": "many"})],
        Exit.SUBMITTED,
    ),
}


class Punctual:
    """The model with a short patience, so that a stuck server does not stop the suite."""

    def __init__(self, model: ClaudeModel) -> None:
        self._model = model

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        return self._model.send(request, timeout_s=min(timeout_s, 5))


@pytest.fixture(scope="module")
def line() -> Iterator[tuple[FakeMessagesApi, ClaudeModel]]:
    with FakeMessagesApi(key=KEY) as api:
        model = ClaudeModel(KEY, base_url=api.url)
        yield api, model
        model.close()


def attempt(
    line: tuple[FakeMessagesApi, ClaudeModel], answers: list[Answer]
) -> tuple[Any, MemoryWorkspace, Any]:
    api, model = line
    api.requests.clear()
    api.replies[:] = answers
    api.default = text("I have no more to say.")
    store, clock = MemoryEventStore(), ManualClock()
    log = AttemptLog(store, "run/r/attempt/t1.1")
    log.append(AttemptClaimed(epoch=1, generation=1, holder="test"))
    workspace = MemoryWorkspace({"a.py": "one\n"})
    context = Context(
        run_id="r",
        attempt="t1.1",
        unit="t1",
        role="implementer",
        purpose=Purpose.WORK,
        base_tree=workspace.tree(),
        tasks=(TaskText("t1", "Do it"),),
        limits=AttemptLimits(slice=SLICE),
        model="claude-sonnet-5-5",
    )
    report = run_attempt(
        context,
        Desk(
            events=log,
            workspace=workspace,
            model=Punctual(model),
            prices=ModelPrices(),
            clock=clock,
            secrets=NoSecrets(),
            keep_going=lambda: None,
            transcript=lambda _: None,
        ),
    )
    return report, workspace, fold_attempt(log.read())


class NoSecrets:
    def find(self, text: str) -> list[Any]:
        return []

    def redact(self, text: str) -> str:
        return text


@pytest.mark.parametrize("fault", TABLE)
def test_outcome_of_every_fault(line: tuple[FakeMessagesApi, ClaudeModel], fault: str) -> None:
    answers, exit_ = TABLE[fault]
    report, workspace, fold = attempt(line, [*answers, WRITE, DONE])
    assert report.exit is exit_, report.detail
    assert "wrong.py" not in workspace.contents
    assert ("right.py" in workspace.contents) is (exit_ is Exit.SUBMITTED)
    assert report.tree == workspace.tree()
    assert report.cost == fold.cost <= SLICE
    assert report.usage == fold.usage


@pytest.mark.parametrize(
    "fault",
    [
        "stream dropped in a text",
        "stream dropped in a tool's input",
        "connection reset",
        "garbage",
        "truncated tool input",
    ],
)
def test_what_may_have_been_billed_is_counted_in_full(
    line: tuple[FakeMessagesApi, ClaudeModel], fault: str
) -> None:
    undisturbed, _, _ = attempt(line, [WRITE, DONE])
    disturbed, _, _ = attempt(line, [*TABLE[fault][0], WRITE, DONE])
    assert disturbed.cost > undisturbed.cost + 16_000 * 10


def test_usage_that_explodes_ends_the_attempt_at_once(
    line: tuple[FakeMessagesApi, ClaudeModel],
) -> None:
    report, _, fold = attempt(line, [text(usage=HUGE_USAGE), WRITE, DONE])
    assert report.exit is Exit.BUDGET
    assert report.cost == fold.cost
    assert len(line[0].calls) == 1


def test_the_guide_tells_every_outcome() -> None:
    rows = (line.split(" | ") for line in GUIDE.read_text("utf-8").splitlines())
    told = {row[0].removeprefix("| "): row[1] for row in rows if len(row) == 3}
    told.pop("fault")
    assert told == {fault: exit_.value for fault, (_, exit_) in TABLE.items()}
