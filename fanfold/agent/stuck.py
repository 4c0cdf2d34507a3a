"""Circles: signals over tool calls, a nudge first and a stop later; a fold of `ToolCalled` events.

What the model thinks or says is not looked at. Thresholds are those of a table: nudge and stop.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from fanfold.run.events import ToolCalled


class Nudge(msgspec.Struct, frozen=True):
    """The model is told."""

    signal: str
    count: int


class Stop(msgspec.Struct, frozen=True):
    """The attempt ends."""

    signal: str
    count: int


SAME_CALL, SAME_ERROR, ALTERNATION = "same_call", "same_error", "alternation"
FAILED_EDITS, NO_PROGRESS = "failed_edits", "no_progress"

TABLE: dict[str, tuple[int, int]] = {
    SAME_CALL: (3, 5),
    SAME_ERROR: (3, 4),
    ALTERNATION: (6, 8),
    FAILED_EDITS: (3, 6),
    NO_PROGRESS: (15, 25),
}
ADVICE = {
    SAME_CALL: "The same call has given the same result several times. Try something else.",
    SAME_ERROR: "The same error came back several times. Change the approach.",
    ALTERNATION: "You go back and forth between two calls with the same results. Step out of it.",
    FAILED_EDITS: "Several edits of this file failed. Work from its text as given above.",
    NO_PROGRESS: "For many calls nothing has changed and nothing new was read. Decide and act,"
    " or submit as blocked and say what is missing.",
}


class StuckDetector:
    """Counts what repeats. Feed it the events of an attempt in order, earlier ones included."""

    def __init__(self) -> None:
        self._same: tuple[str, ...] = ()
        self._same_count = 0
        self._error = ""
        self._error_count = 0
        self._alternating: list[tuple[str, ...]] = []
        self._edits: Counter[str] = Counter()
        self._seen: set[tuple[str, ...]] = set()
        self._idle = 0

    def observe(self, event: ToolCalled, *, waiting: bool = False) -> Nudge | Stop | None:
        """The verdict on one call; a call that waits for a process is never held against it."""
        if waiting:
            return None
        call = (event.name, event.arguments, event.result)
        counts = {
            SAME_CALL: self._repeats(call),
            SAME_ERROR: self._errors(event),
            ALTERNATION: self._alternation(call),
            FAILED_EDITS: self._failed_edits(event),
            NO_PROGRESS: self._idling(event, call),
        }
        return _verdict(counts)

    def _repeats(self, call: tuple[str, ...]) -> int:
        self._same_count = self._same_count + 1 if call == self._same else 1
        self._same = call
        return self._same_count

    def _errors(self, event: ToolCalled) -> int:
        if event.ok:
            self._error, self._error_count = "", 0
        else:
            self._error_count = self._error_count + 1 if event.result == self._error else 1
            self._error = event.result
        return self._error_count

    def _alternation(self, call: tuple[str, ...]) -> int:
        """How many of the last calls are an unbroken A B A B …, A not being B."""
        past = self._alternating
        if len(past) > 1 and call == past[-2] and call != past[-1]:
            past.append(call)
        else:
            self._alternating = [past[-1], call] if past and past[-1] != call else [call]
        return len(self._alternating)

    def _failed_edits(self, event: ToolCalled) -> int:
        if event.name != "edit" or not event.allowed:
            return 0
        path = event.read[0] if event.read else ""
        if event.ok:
            self._edits.pop(event.written[0] if event.written else path, None)
            return 0
        self._edits[path] += 1
        return self._edits[path]

    def _idling(self, event: ToolCalled, call: tuple[str, ...]) -> int:
        """Calls since the tree last changed or something was seen for the first time."""
        if event.written or (event.ok and call not in self._seen):
            self._idle = 0
        else:
            self._idle += 1
        self._seen.add(call)
        return self._idle


def _verdict(counts: dict[str, int]) -> Nudge | Stop | None:
    for signal, count in counts.items():
        if count >= TABLE[signal][1]:
            return Stop(signal, count)
    for signal, count in counts.items():
        if count == TABLE[signal][0]:
            return Nudge(signal, count)
    return None
