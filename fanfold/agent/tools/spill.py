"""Long outputs: the model sees head and tail, and can grep the whole under a virtual path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.agent.tools.squeeze import squeezed

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = TAIL = 5_000
PREFIX = ".fanfold/output/"
KEEP = 2_000_000


class Spill:
    """Texts too long for the conversation, kept in memory and never part of the tree.

    `redact` goes over each of them before it is kept or cut.
    """

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        self._texts: dict[str, str] = {}
        self._redact = redact

    def put(self, name: str, text: str) -> str:
        """Keeps `text` (its first 2,000,000 characters) and gives its path."""
        path = PREFIX + name
        self._texts[path] = self._redact(text)[:KEEP]
        return path

    def shorten(self, text: str) -> str:
        """`text`, or head and tail of it with what was left out and where the whole is."""
        text = self._redact(text)
        if len(text) <= HEAD + TAIL:
            return text
        return elide(text, HEAD, TAIL, f"; {self._kept(text)}")

    def squeeze(self, text: str) -> str:
        """The output of a command without its idle lines, shortened, and where the whole is."""
        text = self._redact(text)
        less = squeezed(text)
        if less.count("\n") == text.count("\n"):
            return self.shorten(less)
        return f"{elide(less, HEAD, TAIL)}\n[{self._kept(text)}]"

    def _kept(self, text: str) -> str:
        path = self.put(f"{len(self._texts) + 1}.txt", text)
        return f"the whole is in {path}: use read or grep on it"

    def paths(self) -> list[str]:
        return sorted(self._texts)

    def get(self, path: str) -> str | None:
        return self._texts.get(path)


def elide(text: str, head: int, tail: int, where: str = "") -> str:
    """The first `head` and last `tail` characters and the number of those left out between."""
    if len(text) <= head + tail:
        return text
    left_out = len(text) - head - tail
    end = text[-tail:] if tail else ""
    return f"{text[:head]}\n[… {left_out} characters left out{where} …]\n{end}"
