"""The API's prompt cache: what of a request is read from it, and what is written, by the rules.

A breakpoint writes the request's beginning up to it, for five minutes or an hour; a later request
reads the longest beginning that is there within 20 blocks before one of its breakpoints. Reading
prolongs the life; what is too short is not kept. Four characters count as a token where nobody has
counted.
"""

from __future__ import annotations

import hashlib
import threading
import time
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast

import msgspec

from fanfold.run.attempt import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.ports import ModelRequest

CHARACTERS_A_TOKEN, LOOK_BACK, LEAST_TOKENS = 4, 20, 1_024
LIVES_S = {"5m": 300.0, "1h": 3_600.0}


class Block(msgspec.Struct, frozen=True):
    """A block of a request in the order in which it is cached; `ttl` where a breakpoint stands."""

    text: str
    ttl: str | None = None
    counted: int | None = None

    @property
    def tokens(self) -> int:
        """As counted, or by its length."""
        return len(self.text) // CHARACTERS_A_TOKEN + 1 if self.counted is None else self.counted


class PromptCache:
    """One cache for all calls of a key; threads share it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until: dict[bytes, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def count(self, blocks: list[Block], output: int = 0) -> Callable[[], Usage]:
        """Looks a request up; call what is given when the reply begins, which writes it."""
        names = _beginnings(blocks)
        sizes = [0, *accumulate(block.tokens for block in blocks)]
        marks = [i + 1 for i, block in enumerate(blocks) if block.ttl]
        marks = [mark for mark in marks if sizes[mark] >= LEAST_TOKENS]
        reach = sorted({n for m in marks for n in range(max(m - LOOK_BACK, 1), m + 1)})
        with self._lock:
            read = max((n for n in reach if self._alive(names[n - 1])), default=0)
        written = max(marks, default=0)
        hour = max((m for m in marks if blocks[m - 1].ttl == "1h"), default=0)

        def begin() -> Usage:
            with self._lock:
                for mark in marks:
                    self._keep(names[mark - 1], blocks[mark - 1].ttl or "5m")
            return Usage(
                input=sizes[-1] - sizes[max(written, read)],
                output=output,
                cache_write_1h=max(sizes[hour] - sizes[read], 0),
                cache_write_5m=max(sizes[written] - sizes[max(read, hour)], 0),
                cache_read=sizes[read],
            )

        return begin

    def _alive(self, name: bytes) -> bool:
        until, ttl = self._until.get(name, (0.0, "5m"))
        if until <= self._now():
            return False
        self._keep(name, ttl)
        return True

    def _keep(self, name: bytes, ttl: str) -> None:
        self._until[name] = (self._now() + LIVES_S[ttl], ttl)


def blocks_of(request: ModelRequest) -> list[Block]:
    """A request as the cache sees it: the tools as one block, then system, then messages."""
    said = [block for message in request.messages for block in message["content"]]
    tools = msgspec.json.encode(request.tools).decode()
    return [Block(f"{request.model}{tools}"), *map(_block, (*request.system, *said))]


def _block(block: dict[str, Any]) -> Block:
    mark = block.get("cache_control")
    bare = {key: value for key, value in block.items() if key != "cache_control"}
    said = bare.get("text") or bare.get("content") or ""
    if isinstance(said, list):
        said = "".join(part["text"] for part in cast("list[dict[str, str]]", said))
    text = said or msgspec.json.encode(bare["input"]).decode() if "input" in bare else said
    return Block(str(text), mark and mark.get("ttl", "5m"))


def _beginnings(blocks: list[Block]) -> list[bytes]:
    """A name for each beginning of the request, from the first block to the last."""
    hashed = hashlib.sha256()
    names: list[bytes] = []
    for block in blocks:
        hashed.update(block.text.encode("utf-8", "surrogatepass") + b"\0")
        names.append(hashed.digest())
    return names
