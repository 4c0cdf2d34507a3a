"""Which lines of a log are events of ours, and where each stream's lie."""

from __future__ import annotations

from array import array
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from fanfold.adapters.local.disk import translated

if TYPE_CHECKING:
    from pathlib import Path

_OBJECT = ord("{")


class EventLine(msgspec.Struct):
    """What makes a line an event of ours; its data is read only when asked for."""

    event_id: str
    event_type: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    project: str
    stream: str
    version: Annotated[int, msgspec.Meta(ge=1)]
    data: msgspec.Raw
    schema: Annotated[int, msgspec.Meta(ge=1)] = 1
    actor: str = ""


_decode_line = msgspec.json.Decoder(EventLine).decode


def event_of(line: bytes) -> EventLine | None:
    """The event that the line holds; None for what is torn or foreign."""
    try:
        event = _decode_line(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if memoryview(event.data)[0] == _OBJECT else None


def first_event(path: Path) -> EventLine | None:
    """The first event of a log, without reading on. Raises `FanfoldError`."""
    with translated("read", path), path.open("rb") as file:
        return next((event for line in file if (event := event_of(line))), None)


class StreamIndex:
    """Where the events of one stream lie in the file, by version."""

    def __init__(self, first: tuple[datetime, str]) -> None:
        self.first = first
        self.last = first[0]
        self.offsets = array("Q")
        self.lengths = array("Q")
        self.gap_at: int | None = None

    @property
    def version(self) -> int:
        return len(self.offsets)


class LogIndex:
    """The streams of the first `offset` bytes of a file; `skipped` of its lines are not ours."""

    def __init__(self) -> None:
        self.streams: dict[str, StreamIndex] = {}
        self.offset = 0
        self.skipped = 0
        self.torn_tail = False

    def take(self, block: bytes, *, at_end: bool) -> int:
        """Take in the whole lines of `block`, which follows `offset`; gives their size in bytes.

        A last line without its end counts when it is a whole event all the same: a JSON object cut
        short never is.
        """
        lines = block.split(b"\n")
        tail = lines.pop()
        offset = self.offset
        for line in lines:
            if line and not self._accept(line, offset):
                self.skipped += 1
            offset += len(line) + 1
        self.torn_tail = bool(tail) and at_end
        if self.torn_tail and self._accept(tail, offset):
            self.torn_tail = False
            offset += len(tail)
        consumed, self.offset = offset - self.offset, offset
        return consumed

    def _accept(self, line: bytes, offset: int) -> bool:
        event = event_of(line)
        if event is None:
            return False
        index = self.streams.get(event.stream)
        if index is None:
            index = self.streams[event.stream] = StreamIndex((event.timestamp, event.event_id))
        ahead = event.version - len(index.offsets)
        if index.gap_at is not None or ahead < 1:
            return False
        if ahead > 1:
            index.gap_at = offset
            return False
        index.offsets.append(offset)
        index.lengths.append(len(line))
        if event.timestamp > index.last:
            index.last = event.timestamp
        return True
