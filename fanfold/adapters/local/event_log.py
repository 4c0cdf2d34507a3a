"""One JSON-lines file that holds streams of events: an index of it, and appends to it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from fanfold.adapters.local.disk import locked, sync_folder, translated
from fanfold.adapters.local.log_index import LogIndex
from fanfold.errors import FanfoldError
from fanfold.run.events import Envelope

if TYPE_CHECKING:
    from array import array
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from fanfold.adapters.local.log_index import StreamIndex

_CHUNK = 16 * 1024 * 1024
_FINGERPRINT = 512

_decode_envelope = msgspec.json.Decoder(Envelope).decode
_encode = msgspec.json.Encoder().encode


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
        self._index = LogIndex()
        self._inode = (0, 0)
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

    @property
    def streams(self) -> Mapping[str, StreamIndex]:
        return self._index.streams

    @property
    def skipped(self) -> int:
        """How many lines so far are no event of ours."""
        return self._index.skipped + self._index.torn_tail

    def version(self, stream: str) -> int:
        """Raises `FanfoldError` where a line of the stream is missing."""
        index = self._index.streams.get(stream)
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
        index = self._index.streams[stream]
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
        if (
            inode != self._inode
            or status.st_size < self._index.offset
            or not self._is_the_same_file()
        ):
            self._forget()
            self._inode = inode
        chunk = _CHUNK
        while self._index.offset < status.st_size:
            block = self._pread(self._index.offset, chunk)
            at_end = self._index.offset + len(block) >= status.st_size
            consumed = self._index.take(block, at_end=at_end)
            if at_end:
                break
            chunk = chunk if consumed else chunk * 2
        start = max(0, self._index.offset - _FINGERPRINT)
        self._fingerprint = self._pread(start, self._index.offset - start)

    def _is_the_same_file(self) -> bool:
        start = self._index.offset - len(self._fingerprint)
        return self._pread(start, len(self._fingerprint)) == self._fingerprint

    def _pread(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)
