"""Events of any shape and order: a whole reply, or `StreamDropped`, never anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.adapters.claude.assembly import Assembly
from fanfold.adapters.claude.usage import read_usage
from fanfold.errors import StreamDropped
from tests.fakes.messages_wire import Ending, Reply, Wait, stream

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=3,
)
kinds = ("content_block_start", "content_block_delta", "message_delta", "message_start", "other")
index = st.integers(0, 2)
deltas = st.fixed_dictionaries(
    {}, optional={"text": st.text(max_size=3), "partial_json": junk, "citation": junk, "odd": junk}
)
blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(("text", "tool_use", "thinking", "odd"))},
    optional={"text": junk, "id": junk, "name": junk, "input": junk, "citations": junk},
)
usages = st.dictionaries(
    st.sampled_from(("input_tokens", "output_tokens", "cache_creation", "iterations")), junk
)


def like(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Events of one kind that are nearly right."""
    return st.fixed_dictionaries(
        {"type": st.just(kind), "index": index, "content_block": blocks, "delta": deltas},
        optional={"usage": usages, "message": junk},
    )


START: dict[str, Any] = {"type": "message_start", "message": {"id": "msg_1"}}
END: list[dict[str, Any]] = [
    *({"type": "content_block_stop", "index": index} for index in range(3)),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
]


def grown(block: dict[str, Any], delta: dict[str, Any]) -> list[Any]:
    return [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", **block}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
    ]


@example(grown({"text": 5}, {"text": "a"}))
@example(grown({"citations": "none"}, {"citation": {}}))
@example(grown({"type": "tool_use", "id": "1", "name": "read", "input": [1]}, {}))
@example(grown({"type": "tool_use", "id": 1, "name": "read"}, {"partial_json": "{}"}))
@given(st.lists(st.sampled_from(kinds).flatmap(like) | junk, max_size=10))
@settings(max_examples=120, deadline=None)
def test_whatever_comes_is_a_reply_or_dropped(sequence: list[Any]) -> None:
    reply = Assembly()
    try:
        for event in [START, *sequence, *END]:
            reply.feed(event)
        content = reply.content()
    except StreamDropped:
        return
    assert reply.stop_reason
    assert all(isinstance(b.get("input"), dict) for b in content if b.get("type") == "tool_use")
    usage = read_usage(reply.usage)
    assert min(usage.context, usage.output) >= 0


words = st.text(max_size=40).filter(lambda text: text.strip() != "")
inputs = st.dictionaries(
    st.text(max_size=5), st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=30), max_size=3
)


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def thinking_block(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": "c2ln"}


def call_block(tool_input: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_1", "name": "read", "input": tool_input}


contents = st.lists(
    st.builds(text_block, words)
    | st.builds(thinking_block, st.text())
    | st.builds(call_block, inputs),
    max_size=4,
)


def wire_events(content: list[dict[str, Any]]) -> list[Any]:
    chunks = stream(Reply(content), "m", {"input_tokens": 1, "output_tokens": 1})
    texts = [chunk.decode() for chunk in chunks if not isinstance(chunk, Wait | Ending)]
    return [json.loads(text.partition("data: ")[2]) for text in texts]


@given(contents)
@settings(max_examples=100, deadline=None)
def test_content_survives_the_wire(content: list[dict[str, Any]]) -> None:
    reply = Assembly()
    for event in wire_events(content):
        reply.feed(event)
    assert reply.content() == content


@given(contents, st.data())
@settings(max_examples=100, deadline=None)
def test_every_cut_before_the_stop_reason_is_noticed(
    content: list[dict[str, Any]], data: st.DataObject
) -> None:
    whole = wire_events(content)
    reply = Assembly()
    for event in whole[: data.draw(st.integers(0, len(whole) - 2))]:
        reply.feed(event)
    assert not reply.whole
    with pytest.raises(StreamDropped):
        reply.content()


@pytest.mark.parametrize(
    ("pieces", "text"),
    [(("\ud83d", "\ude00"), "😀"), (("half \ud83d", " lost"), "half \ufffd lost")],
)
def test_halves_of_a_character_are_joined_or_replaced(pieces: tuple[str, str], text: str) -> None:
    reply = Assembly()
    for event in wire_events([{"type": "text", "text": "x"}]):
        if event["type"] == "content_block_delta":
            for piece in pieces:
                reply.feed({**event, "delta": {"type": "text_delta", "text": piece}})
        else:
            reply.feed(event)
    assert reply.content() == [{"type": "text", "text": text}]
