"""A scripted conversation over fakes: what most tests of the agent need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.adapters.local.scripted_model import ScriptedPrices
from fanfold.agent.attempt import run_attempt
from fanfold.agent.desk import Desk
from fanfold.agent.log import AttemptLog
from fanfold.agent.warmth import Warmth
from fanfold.ports import Finding, ModelReply, ModelRequest
from fanfold.run.attempt import AttemptLimits, Context, Exit, Purpose, Report, TaskText, Usage
from fanfold.run.attempt_fold import AttemptFold, fold_attempt
from fanfold.run.events import AttemptClaimed, EventData
from tests.fakes.memory import ManualClock, MemoryEventStore
from tests.fakes.workspace import MemoryWorkspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.agent.tools.bench import Check

STREAM = "run/r/attempt/t1.1"
Block = dict[str, Any]
Step = ModelReply | BaseException


def use(name: str, /, id_: str = "", **arguments: Any) -> Block:
    """A tool call as the API gives it."""
    return {"type": "tool_use", "id": id_ or f"toolu_{name}", "name": name, "input": arguments}


def say(text: str) -> Block:
    return {"type": "text", "text": text}


def reply(*content: Block, stop: str | None = None, usage: Usage | None = None) -> ModelReply:
    called = any(block["type"] == "tool_use" for block in content)
    return ModelReply(
        message_id="",
        content=list(content),
        stop_reason=("tool_use" if called else "end_turn") if stop is None else stop,
        usage=usage or Usage(input=1_000, output=100),
        model="m",
    )


DONE = reply(use("submit", status="done", summary="all done"))


class Replies:
    """A model that plays a list and remembers what it was asked."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)
        self.requests: list[ModelRequest] = []
        self.timeouts: list[float] = []

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        self.requests.append(request)
        self.timeouts.append(timeout_s)
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        if step.message_id:
            return step
        number = len(self.requests)
        return ModelReply(
            f"msg_{number}", step.content, step.stop_reason, step.usage, step.model, 5
        )


class Blotter:
    """Takes out one obviously fake secret."""

    def find(self, text: str) -> list[Finding]:
        return [Finding("fake", 1)] if FAKE_SECRET in text else []

    def redact(self, text: str) -> str:
        return text.replace(FAKE_SECRET, "«redacted:fake»")


FAKE_SECRET = "sk-" + "fake-" * 3


@dataclass
class Attempt:
    """One attempt over fakes; change what the test is about, then `run` it."""

    workspace: MemoryWorkspace = field(default_factory=lambda: MemoryWorkspace({"a.py": "one\n"}))
    context: Context = field(default_factory=lambda: a_context())
    clock: ManualClock = field(default_factory=ManualClock)
    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keep_going: Callable[[], Exit | None] = lambda: None
    check: Check | None = None
    escalate_after_s: float | None = None
    model: Replies = field(default_factory=lambda: Replies([]))
    prices: Any = field(default_factory=ScriptedPrices)
    warmth: Warmth = field(default_factory=Warmth)

    def run(self, *steps: Step, model: Replies | None = None) -> Report:
        self.model = model or Replies(steps)
        log = AttemptLog(self.store, STREAM)
        log.append(AttemptClaimed(epoch=1, generation=1, holder="test"))
        desk = Desk(
            events=log,
            workspace=self.workspace,
            model=self.model,
            prices=self.prices,
            clock=self.clock,
            secrets=Blotter(),
            keep_going=self.keep_going,
            transcript=self.lines.append,
            check=self.check,
            escalate_after_s=self.escalate_after_s,
            warmth=self.warmth,
        )
        return run_attempt(self.context, desk)

    def events(self) -> list[EventData]:
        return [e.data for e in AttemptLog.resume(self.store, STREAM).read()]

    def fold(self) -> AttemptFold:
        return fold_attempt(AttemptLog.resume(self.store, STREAM).read())

    def told(self, turn: int = -1) -> str:
        """What the model was told last, as text."""
        message = self.model.requests[turn].messages[-1]
        return "\n".join(str(b.get("content", b.get("text"))) for b in message["content"])


def a_context(**changes: Any) -> Context:
    fields: dict[str, Any] = {
        "run_id": "r",
        "attempt": "t1.1",
        "unit": "t1",
        "role": "implementer",
        "purpose": Purpose.WORK,
        "base_tree": MemoryWorkspace({"a.py": "one\n"}).tree(),
        "tasks": (TaskText("t1", "Do it", "- [ ] Do it"),),
        "limits": AttemptLimits(slice=1_000_000),
        "model": "m",
        "control_files": ("conductor/tracks/x/plan.md", ".ai-workspace/**"),
    }
    return Context(**{**fields, **changes})


@pytest.fixture
def attempt() -> Attempt:
    return Attempt()
