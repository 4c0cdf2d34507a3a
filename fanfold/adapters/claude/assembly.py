"""Puts a streamed reply together from its events, and knows whether it is whole."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from fanfold.errors import StreamDropped
from fanfold.run.decoders import learn

_T = TypeVar("_T", str, "list[Any]")

CUT_OFF = frozenset({"max_tokens", "refusal", "model_context_window_exceeded"})


class _Head(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: dict[str, Any] | None = None


class _MessageStart(msgspec.Struct):
    message: _Head


class _BlockStart(msgspec.Struct):
    index: int
    content_block: dict[str, Any]


class _BlockDelta(msgspec.Struct):
    index: int
    delta: dict[str, Any]


class _BlockStop(msgspec.Struct):
    index: int


class _Stop(msgspec.Struct):
    stop_reason: str | None = None


class _MessageDelta(msgspec.Struct):
    delta: _Stop
    usage: dict[str, Any] | None = None


class _Block:
    """A content block that is still growing; text that arrives in pieces is joined once."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.start = start
        self.pieces: dict[str, list[str]] = {}
        self.citations: list[Any] = []

    def add(self, delta: dict[str, Any]) -> None:
        for key, value in delta.items():
            if key == "citation":
                self.citations.append(value)
            elif key != "type" and isinstance(value, str):
                self.pieces.setdefault(key, []).append(value)
            elif key != "type":
                self.start[key] = value

    def finish(self, *, cut_off: bool) -> dict[str, Any]:
        block = dict(self.start)
        raw = "".join(self.pieces.pop("partial_json", ()))
        for key, pieces in self.pieces.items():
            block[key] = _well_formed("".join((_grown(block, key, str), *pieces)))
        if self.citations:
            block["citations"] = [*_grown(block, "citations", list), *self.citations]
        if raw.strip():
            block["input"] = _tool_input(_well_formed(raw), cut_off=cut_off)
        if block.get("type") == "tool_use":
            _check_call(block)
        return block


class Assembly:
    """One reply in the making. Everything that does not fit the protocol raises `StreamDropped`."""

    def __init__(self) -> None:
        self.message_id = ""
        self.model = ""
        self.stop_reason: str | None = None
        self.usage: dict[str, Any] = {}
        self.started = False
        self._blocks: dict[int, _Block] = {}
        self._open: set[int] = set()

    @property
    def whole(self) -> bool:
        """Whether nothing is missing; `message_stop` carries nothing and is not waited for."""
        return self.started and self.stop_reason is not None and not self._open

    def feed(self, event: Any) -> None:
        """Take in one event as decoded JSON; unknown types are passed over."""
        try:
            self._take(event)
        except (msgspec.ValidationError, KeyError) as error:
            raise StreamDropped(f"the reply holds an event that makes no sense: {error}") from None

    def _take(self, event: Any) -> None:
        match event:
            case {"type": "message_start"}:
                self._begin(msgspec.convert(event, _MessageStart).message)
            case {"type": "content_block_start"}:
                start = msgspec.convert(event, _BlockStart)
                self._blocks[start.index] = _Block(start.content_block)
                self._open.add(start.index)
            case {"type": "content_block_delta"}:
                piece = msgspec.convert(event, _BlockDelta)
                self._blocks[piece.index].add(piece.delta)
            case {"type": "content_block_stop"}:
                self._open.discard(msgspec.convert(event, _BlockStop).index)
            case {"type": "message_delta"}:
                end = msgspec.convert(event, _MessageDelta)
                self.stop_reason = end.delta.stop_reason or self.stop_reason
                self._count(end.usage)
            case _:
                return

    def _begin(self, head: _Head) -> None:
        self.started, self.message_id, self.model = True, head.id, head.model
        self._count({**(head.usage or {}), "output_tokens": None})

    def _count(self, usage: dict[str, Any] | None) -> None:
        self.usage.update({k: v for k, v in (usage or {}).items() if v is not None})

    def content(self) -> list[dict[str, Any]]:
        """The blocks, ready to be sent back, without blank text, which the API does not take back.

        A tool call that the stop reason cut off has an empty input; any other cut raises
        `StreamDropped`.
        """
        if not self.whole:
            raise StreamDropped("the reply ended before it was complete")
        cut_off = self.stop_reason in CUT_OFF
        blocks = [self._blocks[index].finish(cut_off=cut_off) for index in sorted(self._blocks)]
        return [b for b in blocks if b.get("type") != "text" or str(b.get("text", "")).strip()]


def _grown(block: dict[str, Any], key: str, kind: type[_T]) -> _T:
    """What the block began with under `key`, which may be nothing yet."""
    found = block.get(key)
    if found is None:
        return kind()
    if not isinstance(found, kind):
        raise StreamDropped(f"the reply holds a block whose {key} cannot grow")
    return found


def _tool_input(raw: str, *, cut_off: bool) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as error:
        if cut_off:
            return {}
        raise StreamDropped(f"the reply holds a tool call with broken input: {error}") from None


def _check_call(block: dict[str, Any]) -> None:
    block.setdefault("input", {})
    if not isinstance(block["input"], dict) or not all(
        isinstance(block.get(key), str) and block[key] for key in ("id", "name")
    ):
        raise StreamDropped("the reply holds a tool call without a name, an id or an input")


def _well_formed(text: str) -> str:
    """Halves of a surrogate pair that came in two pieces are joined, lone ones replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


learn(_MessageStart, _BlockStart, _BlockDelta, _BlockStop, _MessageDelta)
