"""Whatever a model says and however calls fail: one report, true money, a sound conversation."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fanfold.errors import ModelDenied, ModelRejected, ModelUnavailable, StreamDropped
from fanfold.ports import ModelReply, ModelRequest
from fanfold.run.attempt import AttemptLimits, Exit, Report, Usage
from fanfold.run.events import ToolCalled
from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import Attempt, Replies, a_context


def _call(name: str, given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "t", "name": name, "input": given}


def _words(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def _reply(content: list[dict[str, Any]], stop: str, output: int) -> ModelReply:
    return ModelReply("", content, stop, Usage(output=output), "m")


class Honest(Replies):
    """Counts what it is sent, and writes no more than it may."""

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        reply = super().send(request, timeout_s=timeout_s)
        size = len(str(request.system)) + len(str(request.tools)) + len(str(request.messages))
        output = min(reply.usage.output, request.max_tokens)
        return replace(reply, usage=Usage(cache_write_5m=size // 4, output=output))


PATHS = st.sampled_from(
    ["a.py", "b.py", "../up", "/etc/passwd", ".git/config", "conductor/tracks/x/plan.md", "", "\0"]
)
VALUES = st.one_of(
    PATHS,
    st.text(max_size=8),
    st.integers(-3, 3),
    st.none(),
    st.booleans(),
    st.lists(st.integers(0, 4), max_size=3),
)
NAMES = st.sampled_from(["read", "write", "edit", "glob", "grep", "bash", "teleport"])
KEYS = ["file_path", "content", "old_string", "new_string", "pattern", "path", "view_range"]
INPUTS = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(KEYS, VALUES)),
    st.fixed_dictionaries({"file_path": PATHS, "content": st.text(max_size=9)}),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
    VALUES,
)
CALLS = st.builds(_call, NAMES, INPUTS)
BLOCKS = st.one_of(
    CALLS,
    st.builds(_words, st.text(max_size=9)),
    st.just({"type": "thinking", "thinking": "hm", "signature": "s"}),
    st.just({"type": "hologram"}),
)
STOPS = st.sampled_from(
    ["tool_use"] * 6 + ["end_turn", "max_tokens", "pause_turn", "refusal", "", "news"]
)
ANSWERS = st.builds(_reply, st.lists(BLOCKS, max_size=4), STOPS, st.integers(0, 20_000))
FAULTS = st.sampled_from(
    [
        ModelUnavailable("529"),
        StreamDropped("cut"),
        ModelDenied("401"),
        ModelRejected("400"),
        KeyboardInterrupt(),
        ZeroDivisionError("bug"),
    ]
)
STEPS = st.lists(st.one_of(*[ANSWERS] * 8, FAULTS), max_size=14)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 600_000), st.integers(1, 12))
def test_there_is_one_true_report(steps: list[Any], slice_: int, most: int) -> None:
    attempt = Attempt(workspace=MemoryWorkspace({"a.py": "one\n"}))
    attempt.context = a_context(limits=AttemptLimits(slice=slice_, steps=most))
    report = attempt.run(model=Honest([*steps, *[ModelRejected("enough")] * 6]))
    assert report.cost == attempt.fold().cost <= slice_
    assert report.usage == attempt.fold().usage
    assert report.steps == attempt.fold().metrics.steps <= most
    assert report.tree == attempt.workspace.tree()
    assert report.exit is not Exit.CRASHED or "bug" in report.detail
    _only_allowed_writes(attempt, report)
    _sound(attempt.model)


def _only_allowed_writes(attempt: Attempt, report: Report) -> None:
    changed = {path for path in attempt.workspace.contents if path != "a.py"}
    assert not any(path.startswith(("/", "..", ".git", "conductor/")) for path in changed)
    written = {p for e in attempt.events() if isinstance(e, ToolCalled) for p in e.written}
    assert changed | set(report.files) == written | set(report.files)


def _sound(model: Replies) -> None:
    """Roles alternate, nothing is empty, and every call is answered by its id."""
    if not model.requests:
        return
    messages = model.requests[-1].messages
    assert [m["role"] for m in messages] == (["user", "assistant"] * len(messages))[: len(messages)]
    assert all(m["content"] for m in messages)
    for asked, answered in zip(messages[1::2], messages[2::2], strict=True):
        calls = [b["id"] for b in asked["content"] if b["type"] == "tool_use"]
        results = [b["tool_use_id"] for b in answered["content"] if b["type"] == "tool_result"]
        assert calls == results
