"""What the conversation holds of files already, so that nothing is told twice."""

from __future__ import annotations

import msgspec

from fanfold.agent.tools.base import digest

UNCHANGED = "Unchanged since you read these lines: they stand above. Ask again to be told anew."


class _Passage(msgspec.Struct, frozen=True):
    """Lines `first` to `last` of a file that was `file` then."""

    file: str
    first: int
    last: int


class Told:
    """Passages of files that the model was given in earlier turns of this conversation.

    Those of the present turn do not count: reads of a turn run side by side, in any order.
    """

    def __init__(self) -> None:
        self._earlier: set[_Passage] = set()
        self._now: set[_Passage] = set()

    def turn(self) -> None:
        """Another turn begins."""
        self._earlier |= self._now
        self._now.clear()

    def forget(self) -> None:
        """The conversation starts over."""
        self._earlier.clear()
        self._now.clear()

    def tell(self, path: str, text: str, first: int, last: int) -> bool:
        """Whether to tell these lines of a file that reads `text`: not where they stand above.

        Whoever asks for the same again has lost sight of them, and is told.
        """
        asked = _Passage(digest(f"{path}\0{text}"), first, last)
        known = {p for p in self._earlier if _holds(p, asked)}
        self._earlier -= known
        if known:
            return False
        self._now.add(asked)
        return True


def _holds(told: _Passage, asked: _Passage) -> bool:
    return told.file == asked.file and told.first <= asked.first and asked.last <= told.last
