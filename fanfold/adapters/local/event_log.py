"""One JSON-lines file that holds streams of events: an index of it, and appends to it."""

from __future__ import annotations

import os
from array import array
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Annotated

import msgspec

from fanfold.adapters.local.disk import locked, sync_folder, translated
from fanfold.errors import FanfoldError
from fanfold.run.events import Envelope

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

_CHUNK = 16 * 1024 * 1024
_FINGERPRINT = 512
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


class StreamIndex:
    """Where the events of one stream lie in the file."""

    def __init__(self, first: tuple[datetime, str]) -> None:
        self.first = first
        self.last = first[0]
        self.offsets = array("Q")
        self.lengths = array("Q")
        self.gap_at: int | None = None

    @property
    def version(self) -> int:
        return len(self.offsets)


_decode_line = msgspec.json.Decoder(EventLine).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_encode = msgspec.json.Encoder().encode


def first_event(path: Path) -> EventLine | None:
    """The first event of a log, without reading on. Raises `FanfoldError`."""
    with translated("read", path), path.open("rb") as file:
        return next((event for line in file if (event := _event(line))), None)


def _event(line: bytes) -> EventLine | None:
    try:
        event = _decode_line(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if memoryview(event.data)[0] == _OBJECT else None


class EventLog:
    """An append-only file shared with programs that know nothing of us.

    Every access first reads what was added since the last one, so its cost is that of the new
    bytes. A file that was replaced or cut is read anew. Use the methods inside `reading` or
    `writing` only, which hold the lock.
    """

    def __init__(self, path: Path, lock: Path, *, durable: bool) -> None:
        self.path, self._lock_path, self._durable = path, lock, durable
        self._mutex = Lock()
        self._descriptor = -1
        self._forget()

    def _forget(self) -> None:
        self.streams: dict[str, StreamIndex] = {}
        self.skipped = 0
        self.torn_tail = False
        self._inode = (0, 0)
        self._offset = 0
        self._fingerprint = b""

    @contextmanager
    def reading(self) -> Generator[None]:
        """The index is current, and no writer of ours is in the middle of a line."""
        with self._mutex:
            with translated("read", self.path):
                there = self.path.exists()
            if not there:
                self._forget()
                yield
                return
            with locked(self._lock_path, shared=True), self._opened(os.O_RDONLY):
                yield

    @contextmanager
    def writing(self) -> Generator[None]:
        """The index is current and stays so: this is the only writer."""
        with self._mutex, locked(self._lock_path):
            with translated("write", self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._opened(os.O_RDWR | os.O_APPEND | os.O_CREAT):
                yield

    @contextmanager
    def _opened(self, flags: int) -> Generator[None]:
        with translated("open", self.path):
            self._descriptor = os.open(self.path, flags | os.O_CLOEXEC, 0o666)
        try:
            with translated("read", self.path):
                self._catch_up()
            yield
        finally:
            os.close(self._descriptor)

    def version(self, stream: str) -> int:
        """Raises `FanfoldError` where a line of the stream is missing."""
        index = self.streams.get(stream)
        if index is None:
            return 0
        if index.gap_at is not None:
            raise FanfoldError(
                f"{str(self.path)!r}: the line of {stream!r} version {index.version + 1} is "
                f"missing or damaged before byte {index.gap_at}; restore the file from a copy"
            )
        return index.version

    def read(self, stream: str, after: int) -> list[Envelope]:
        """The stored envelopes above version `after`. Raises `FanfoldError`."""
        after = max(after, 0)
        if self.version(stream) <= after:
            return []
        index = self.streams[stream]
        try:
            lines = self._lines(index.offsets[after:], index.lengths[after:])
            return [_decode_envelope(line) for line in lines]
        except msgspec.DecodeError as error:
            self._forget()
            path = str(self.path)
            raise FanfoldError(f"{path!r} was rewritten by another program ({error})") from error

    def _lines(self, offsets: array[int], lengths: array[int]) -> Iterator[bytes]:
        first, span = offsets[0], offsets[-1] + lengths[-1] - offsets[0]
        if span > 2 * sum(lengths):
            return map(self._pread, offsets, lengths)
        block = self._pread(first, span)
        return (block[o - first : o - first + n] for o, n in zip(offsets, lengths, strict=True))

    def append(self, envelopes: Sequence[Envelope]) -> None:
        """Adds one line each in one write; what could not be written whole is taken back.

        Call inside `writing`. Raises `FanfoldError`.
        """
        size = os.fstat(self._descriptor).st_size
        data = b"".join(_encode(e) + b"\n" for e in envelopes)
        if size and self._pread(size - 1, 1) != b"\n":
            data = b"\n" + data
        with translated("append to", self.path):
            self._write(data)
            if self._durable:
                os.fsync(self._descriptor)
                if not size:
                    sync_folder(self.path.parent)
            self._catch_up()
        last = envelopes[-1]
        if self.version(last.stream) != last.version:
            raise FanfoldError(
                f"another program wrote into an append to {str(self.path)!r}; try again"
            )

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            size = os.fstat(self._descriptor).st_size
            if written and self._pread(size - written, written) == data[:written]:
                os.ftruncate(self._descriptor, size - written)
            raise

    def _catch_up(self) -> None:
        status = os.fstat(self._descriptor)
        inode = (status.st_dev, status.st_ino)
        if inode != self._inode or status.st_size < self._offset or not self._is_the_same_file():
            self._forget()
            self._inode = inode
        chunk = _CHUNK
        while self._offset < status.st_size:
            block = self._pread(self._offset, chunk)
            at_end = self._offset + len(block) >= status.st_size
            consumed = self._index(block, at_end)
            if at_end:
                break
            chunk = chunk if consumed else chunk * 2
        start = max(0, self._offset - _FINGERPRINT)
        self._fingerprint = self._pread(start, self._offset - start)

    def _is_the_same_file(self) -> bool:
        start = self._offset - len(self._fingerprint)
        return self._pread(start, len(self._fingerprint)) == self._fingerprint

    def _index(self, block: bytes, at_end: bool) -> int:
        """Takes in the whole lines of `block`; gives how many bytes that were.

        A last line without its end counts when it is a whole event all the same: a JSON object cut
        short never is.
        """
        lines = block.split(b"\n")
        tail = lines.pop()
        offset = self._offset
        for line in lines:
            if line and not self._accept(line, offset):
                self.skipped += 1
            offset += len(line) + 1
        self.torn_tail = bool(tail) and at_end
        if self.torn_tail and self._accept(tail, offset):
            self.torn_tail = False
            offset += len(tail)
        consumed, self._offset = offset - self._offset, offset
        return consumed

    def _accept(self, line: bytes, offset: int) -> bool:
        event = _event(line)
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

    def _pread(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)
