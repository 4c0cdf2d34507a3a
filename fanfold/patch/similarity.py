"""How alike two files are, measured as git measures it for renames."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from fanfold.patch.three_way import is_binary

if TYPE_CHECKING:
    from collections.abc import Callable

FULL = 60_000
HALF = FULL // 2
MAX_WORK = 20_000_000
CHUNK = re.compile(rb"[^\n]{0,63}\n|[^\n]{64}|[^\n]+\Z")


class Similarity:
    """Scores pairs of blobs from 0 to `FULL`; chunks of a blob are counted once.

    After `MAX_WORK` chunks were compared, only equal blobs are alike.
    """

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._left = MAX_WORK
        self._counted: dict[str, tuple[int, Counter[bytes]]] = {}

    def score(self, old: str, new: str, least: int = HALF) -> int:
        """The share of the larger blob that both have; 0 where it cannot reach `least`."""
        if old == new:
            return FULL
        old_size, old_chunks = self._chunks(old)
        new_size, new_chunks = self._chunks(new)
        larger = max(old_size, new_size)
        if larger == 0 or abs(old_size - new_size) * FULL > larger * (FULL - least):
            return 0
        if len(old_chunks) > len(new_chunks):
            old_chunks, new_chunks = new_chunks, old_chunks
        self._left -= len(old_chunks)
        if self._left < 0:
            return 0
        copied = sum(
            len(chunk) * min(count, new_chunks[chunk])
            for chunk, count in old_chunks.items()
            if chunk in new_chunks
        )
        return copied * FULL // larger

    def _chunks(self, oid: str) -> tuple[int, Counter[bytes]]:
        if oid not in self._counted:
            data = self._read(oid)
            text = data if is_binary(data) else data.replace(b"\r\n", b"\n")
            self._counted[oid] = (len(data), Counter(CHUNK.findall(text)))
        return self._counted[oid]
