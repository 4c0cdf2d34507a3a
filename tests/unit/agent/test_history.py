"""Each request begins with the one before: the wire prefix that the prompt cache lives on."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.agent.conftest import DONE, Attempt, a_context, reply, say, use

if TYPE_CHECKING:
    from fanfold.ports import ModelRequest

TURNS = [
    reply(say("I look."), use("read", "1", file_path="a.py"), use("grep", "2", pattern="o")),
    reply({"type": "thinking", "thinking": "hm", "signature": "s"}, use("glob", "3", pattern="*")),
    reply(say("so far"), stop="max_tokens"),
    reply(say("Well.")),
    reply(use("read", "4", file_path="gone.py")),
    DONE,
]


def wire(request: ModelRequest) -> str:
    """The request in the order in which the API caches it, without breakpoints and brackets."""
    messages = json.dumps(_unmarked(request.messages)).removesuffix("]")
    return json.dumps(_unmarked([request.tools, request.system])) + messages


def _unmarked(value: Any) -> Any:
    def bare(block: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in block.items() if k != "cache_control"}

    return json.loads(json.dumps(value), object_hook=bare)


def marks(request: ModelRequest) -> list[tuple[int, int]]:
    return [
        (i, j)
        for i, message in enumerate(request.messages)
        for j, block in enumerate(message["content"])
        if "cache_control" in block
    ]


def test_a_later_request_begins_with_the_earlier_one(attempt: Attempt) -> None:
    attempt.run(*TURNS)
    wires = [wire(request) for request in attempt.model.requests]
    assert len(wires) == len(TURNS)
    for earlier, later in pairwise(wires):
        assert later.startswith(earlier)


def test_two_breakpoints_move_with_the_turns(attempt: Attempt) -> None:
    attempt.run(*TURNS)
    assert marks(attempt.model.requests[0]) == [(0, 0)]
    assert marks(attempt.model.requests[1]) == [(0, 0), (2, 1)]
    assert marks(attempt.model.requests[2]) == [(2, 1), (4, 0)]
    for earlier, later in pairwise(attempt.model.requests):
        assert marks(earlier)[-1] in marks(later)


@pytest.mark.parametrize(
    ("lasting", "mark"),
    [(False, {"type": "ephemeral"}), (True, {"type": "ephemeral", "ttl": "1h"})],
)
def test_what_is_shared_lasts_an_hour_only_over_pauses_and_has_one_breakpoint(
    attempt: Attempt, lasting: bool, mark: object
) -> None:
    attempt.context = a_context(lasting=lasting)
    attempt.run(*TURNS)
    for request in attempt.model.requests:
        kept = [b["cache_control"] for b in request.system if "cache_control" in b]
        assert kept == [mark]
        assert len(kept) + len(marks(request)) <= 4


def test_every_tool_call_is_answered_and_roles_alternate(attempt: Attempt) -> None:
    attempt.run(*TURNS)
    messages = attempt.model.requests[-1].messages
    assert [m["role"] for m in messages] == ["user", "assistant"] * 5 + ["user"]
    for asked, answered in zip(messages[1::2], messages[2::2], strict=True):
        calls = [b["id"] for b in asked["content"] if b["type"] == "tool_use"]
        results = [b["tool_use_id"] for b in answered["content"] if b["type"] == "tool_result"]
        assert calls == results
