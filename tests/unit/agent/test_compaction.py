"""Near the window or a price step, a summary of its own replaces the conversation."""

from __future__ import annotations

from itertools import pairwise

import pytest

from fanfold.adapters.claude.prices import ModelPrices
from fanfold.adapters.local.scripted_model import ScriptedPrices
from fanfold.agent.compaction import ASK, SUMMARY_TOKENS
from fanfold.ports import ModelReply, ModelRequest
from fanfold.run.attempt import AttemptLimits, Exit, Usage
from fanfold.run.events import ContextCompacted, LoopStopped, ModelCalled
from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import DONE, Attempt, Block, Replies, a_context, reply, say, use
from tests.unit.agent.test_history import marks, wire

HAIKU, STEP = "claude-haiku-5-5", 100_000
NOTES = "I read ten parts; part 3 has the bug. Next: mend it."


class Small(ScriptedPrices):
    """A model with little room."""

    def __init__(self, room: int) -> None:
        self._room = room

    def room(self, model: str) -> int:
        return self._room


class Reader(Replies):
    """Reads on for ever and counts as the wire has it, but answers what it is asked for."""

    def __init__(self, turns: int, notes: str = NOTES) -> None:
        super().__init__([])
        self.turns, self.notes = turns, notes

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        self.requests.append(request)
        number = len(self.requests)
        asked = str(request.messages[-1]["content"][-1].get("text", "")) == ASK
        if asked:
            content: list[Block] = [say(self.notes)]
        elif number > self.turns:
            content = DONE.content
        else:
            content = [use("read", f"t{number}", file_path=f"{number % 10}.py")]
        size = len(wire(request)) // 3
        usage = Usage(cache_write_5m=size, output=len(str(content)) // 3)
        stop = "end_turn" if asked else "tool_use"
        return ModelReply(f"m{number}", content, stop, usage, request.model)

    @property
    def summaries(self) -> list[int]:
        """Where a summary was asked for."""
        last = [r.messages[-1]["content"][-1] for r in self.requests]
        return [i for i, block in enumerate(last) if block.get("text") == ASK]


def reading(attempt: Attempt, *, parts: int = 10) -> None:
    files = {f"{n}.py": f"line {n}\n" * 900 for n in range(parts)}
    attempt.workspace = MemoryWorkspace(files)
    attempt.context = a_context(limits=AttemptLimits(slice=50_000_000))


def test_a_full_conversation_goes_on_from_the_agents_own_notes(attempt: Attempt) -> None:
    reading(attempt)
    attempt.prices = Small(20_000)
    model = Reader(20)
    report = attempt.run(model=model)
    assert report.exit is Exit.SUBMITTED
    (first, *_) = model.summaries
    asked, after = model.requests[first : first + 2]
    assert asked.max_tokens == SUMMARY_TOKENS
    assert asked.messages[0]["content"][0] == after.messages[0]["content"][0]
    assert len(after.messages) == 1
    assert NOTES in after.messages[0]["content"][1]["text"]
    assert max(len(wire(r)) // 3 for r in model.requests) <= 20_000
    assert report.metrics.compactions == len(model.summaries) > 0


def test_only_a_compaction_breaks_the_wire_prefix(attempt: Attempt) -> None:
    reading(attempt)
    attempt.prices = Small(20_000)
    model = Reader(20)
    attempt.run(model=model)
    for number, (earlier, later) in enumerate(pairwise(model.requests)):
        kept = wire(later).startswith(wire(earlier).removesuffix("]}"))
        assert kept is (number not in model.summaries)
        assert len(marks(later)) <= 2


def test_haiku_never_pays_its_step(attempt: Attempt) -> None:
    reading(attempt, parts=10)
    attempt.workspace = MemoryWorkspace({f"{n}.py": f"line {n} of it\n" * 1_400 for n in range(10)})
    attempt.context = a_context(limits=AttemptLimits(slice=50_000_000), model=HAIKU)
    attempt.prices = ModelPrices()
    model = Reader(30)
    report = attempt.run(model=model)
    calls = [e for e in attempt.events() if isinstance(e, ModelCalled)]
    assert report.exit is Exit.SUBMITTED
    assert model.summaries
    assert max(call.usage.context for call in calls) <= STEP
    cheap = [ModelPrices().cost(HAIKU, call.usage) for call in calls]
    assert report.cost == attempt.fold().cost == sum(cheap)


def test_without_a_step_or_a_full_window_history_is_only_appended(attempt: Attempt) -> None:
    reading(attempt)
    model = Reader(20)
    attempt.run(model=model)
    assert model.summaries == []


def test_compactions_that_make_no_room_end_it(attempt: Attempt) -> None:
    reading(attempt)
    attempt.prices = Small(8_000)
    report = attempt.run(model=Reader(40, notes="word " * 5_000))
    assert report.exit is Exit.STUCK
    assert "compaction, 2 times" in report.detail
    stopped = [e for e in attempt.events() if isinstance(e, LoopStopped)]
    assert [(e.signal, e.count) for e in stopped] == [("compaction", 2)]
    compacted = [e for e in attempt.events() if isinstance(e, ContextCompacted)]
    assert len(compacted) == 2


@pytest.mark.parametrize(
    ("answer", "exit_"),
    [
        (reply(use("read", file_path="0.py")), Exit.CONTEXT_FULL),
        (reply(say("No."), stop="refusal"), Exit.REFUSED),
    ],
)
def test_a_summary_that_is_none_ends_it(attempt: Attempt, answer: ModelReply, exit_: Exit) -> None:
    reading(attempt)
    attempt.prices = Small(6_000)
    look = reply(use("read", file_path="0.py"), usage=Usage(input=5_500, output=10))
    report = attempt.run(look, answer)
    assert (report.exit, report.steps) == (exit_, 2)


def test_room_is_the_price_step_or_the_window() -> None:
    prices = ModelPrices({"mine": {"input": 1, "output": 1}})
    assert prices.room(HAIKU) == STEP
    assert prices.room("claude-sonnet-5-5") == 1_000_000
    assert prices.room("mine") > 1_000_000
