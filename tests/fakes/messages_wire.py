"""What the fake Messages API puts on the wire: replies, and all that can go wrong with one."""

from __future__ import annotations

import itertools
import json
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.ports import ModelRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 16
_ids = itertools.count(1)


class Cut(Enum):
    """Where a reply breaks off."""

    BEFORE_START = "before_start"
    MID_TEXT = "mid_text"
    MID_TOOL = "mid_tool"
    BEFORE_STOP_REASON = "before_stop_reason"
    BEFORE_MESSAGE_STOP = "before_message_stop"


class Ending(Enum):
    """How a stream ends: as HTTP wants it, by a close without the last chunk, or by a TCP reset."""

    POLITE = "polite"
    HANG_UP = "hang_up"
    RESET = "reset"


class Refusal(msgspec.Struct, frozen=True):
    """An error answer; `details` go into the error body."""

    status: int
    kind: str = "api_error"
    message: str = "the fake says no"
    headers: dict[str, str] = {}
    details: dict[str, Any] | None = None


class Raw(msgspec.Struct, frozen=True):
    """Any bytes with any status."""

    body: bytes
    status: int = 200
    content_type: str = "text/event-stream"
    headers: dict[str, str] = {}


class Reply(msgspec.Struct, frozen=True):
    """A reply, whole or broken.

    `usage` None stands for numbers computed from sizes; a dict is sent as it is, an empty one as
    no usage at all. `cut` ends the reply early, and `ending` says how; `truncate` leaves out that
    many characters of tool inputs but goes on; `pause_s` is waited between events,
    `silence_s` once, before the event with index `silence_at`; `error` is sent as an error event
    at the `cut`; `extra` are raw events sent after message_start.
    """

    content: list[dict[str, Any]]
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None
    delta_usage: dict[str, Any] = {}
    message_id: str | None = None
    cut: Cut | None = None
    ending: Ending = Ending.POLITE
    truncate: int = 0
    pause_s: float = 0.0
    silence_s: float = 0.0
    silence_at: int = 1
    error: dict[str, Any] | None = None
    extra: tuple[str, ...] = ()

    @property
    def stop(self) -> str:
        calls = any(block.get("type") == "tool_use" for block in self.content)
        return self.stop_reason or ("tool_use" if calls else "end_turn")


class Wait(msgspec.Struct, frozen=True):
    """A moment without a byte."""

    seconds: float


Answer = Reply | Refusal | Raw
Chunk = bytes | Wait | Ending


def text(words: str = "Hello.", **more: Any) -> Reply:
    return Reply([{"type": "text", "text": words}], **more)


def tool(name: str = "read", tool_input: dict[str, Any] | None = None, **more: Any) -> Reply:
    """A few words and one tool call."""
    call = {
        "type": "tool_use",
        "id": f"toolu_{next(_ids):06d}",
        "name": name,
        "input": tool_input
        if tool_input is not None
        else {"file_path": "docs/a/long/enough/path.md"},
    }
    return Reply([{"type": "text", "text": "I will use a tool for this."}, call], **more)


def thinking(**more: Any) -> Reply:
    block = {"type": "thinking", "thinking": "First this, then that.", "signature": "c2lnbmF0dXJl"}
    return Reply([block, {"type": "text", "text": "So be it."}], **more)


def message(reply: Reply, model: str, usage: dict[str, Any]) -> dict[str, Any]:
    """The reply as one JSON object."""
    body: dict[str, Any] = {
        "id": reply.message_id or f"msg_fake_{next(_ids):06d}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": reply.content,
        "stop_reason": reply.stop,
        "stop_sequence": None,
    }
    return {**body, "usage": usage} if usage else body


def stream(reply: Reply, model: str, usage: dict[str, Any]) -> Iterator[Chunk]:
    """The reply as server-sent events with its faults."""
    for index, event in enumerate(_events(reply, model, usage)):
        if reply.silence_s and index == reply.silence_at:
            yield Wait(reply.silence_s)
        if reply.pause_s:
            yield Wait(reply.pause_s)
        yield event
    if reply.error is not None:
        yield _sse({"type": "error", "error": reply.error})
    if reply.ending is not Ending.POLITE:
        yield reply.ending


def request_of(body: dict[str, Any]) -> ModelRequest:
    """The request as the agent made it."""
    system = body.get("system", [])
    return ModelRequest(
        model=body.get("model", ""),
        system=[{"type": "text", "text": system}] if isinstance(system, str) else system,
        tools=body.get("tools", []),
        messages=body.get("messages", []),
        max_tokens=body.get("max_tokens", 0),
    )


def error_body(refusal: Refusal) -> dict[str, Any]:
    error: dict[str, Any] = {"type": refusal.kind, "message": refusal.message}
    if refusal.details is not None:
        error["details"] = refusal.details
    return {"type": "error", "error": error, "request_id": "req_fake"}


def _events(reply: Reply, model: str, usage: dict[str, Any]) -> Iterator[bytes]:
    if reply.cut is Cut.BEFORE_START:
        return
    start: dict[str, Any] = {
        **message(reply, model, {**usage, "output_tokens": 1} if usage else usage),
        "content": [],
        "stop_reason": None,
    }
    yield _sse({"type": "message_start", "message": start})
    yield from (raw.encode() for raw in reply.extra)
    yield _sse({"type": "ping"})
    for index, block in enumerate(reply.content):
        mid = reply.cut is {"text": Cut.MID_TEXT, "tool_use": Cut.MID_TOOL}.get(
            block["type"], Cut.BEFORE_START
        )
        yield from _block(index, block, cut=mid, truncate=reply.truncate)
        if mid:
            return
    if reply.cut is Cut.BEFORE_STOP_REASON:
        return
    delta = {"stop_reason": reply.stop, "stop_sequence": None}
    counted = {"output_tokens": usage["output_tokens"]} if "output_tokens" in usage else {}
    yield _sse({"type": "message_delta", "delta": delta, "usage": {**counted, **reply.delta_usage}})
    if reply.cut is not Cut.BEFORE_MESSAGE_STOP:
        yield _sse({"type": "message_stop"})


def _block(index: int, block: dict[str, Any], *, cut: bool, truncate: int) -> Iterator[bytes]:
    start, deltas = _deltas(block, truncate)
    yield _sse({"type": "content_block_start", "index": index, "content_block": start})
    for delta in deltas[: len(deltas) // 2] if cut else deltas:
        yield _sse({"type": "content_block_delta", "index": index, "delta": delta})
    if not cut:
        yield _sse({"type": "content_block_stop", "index": index})


def _deltas(block: dict[str, Any], truncate: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            pieces = [{"type": "text_delta", "text": p} for p in _pieces(block["text"])]
            return {**block, "text": ""}, pieces
        case "thinking":
            pieces = [{"type": "thinking_delta", "thinking": p} for p in _pieces(block["thinking"])]
            pieces.append({"type": "signature_delta", "signature": block["signature"]})
            return {**block, "thinking": "", "signature": ""}, pieces
        case "tool_use":
            raw = json.dumps(block["input"])
            shown = raw[: len(raw) - truncate]
            pieces = [
                {"type": "input_json_delta", "partial_json": p} for p in ("", *_pieces(shown))
            ]
            return {**block, "input": {}}, pieces
        case _:
            return dict(block), []


def _pieces(whole: str) -> list[str]:
    return [whole[i : i + PIECE] for i in range(0, len(whole), PIECE)]


def _sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
