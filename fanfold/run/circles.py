"""Circles: signals over tool calls, a nudge first and a stop later; a fold of `ToolCalled` events.

What the model thinks or says is not looked at. Thresholds are those of a table: nudge and stop.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from fanfold.run.events import ToolCalled

Call = tuple[str, str, str]


class Nudge(msgspec.Struct, frozen=True):
    """The model is told."""

    signal: str
    count: int


class Stop(msgspec.Struct, frozen=True):
    """The attempt ends."""

    signal: str
    count: int


class Circles(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far each signal has come, for an attempt that goes on where this one broke off.

    `same` and `alternating` are the latest calls, as name, arguments and result; `nudged` are the
    signals that the model has heard of.
    """

    same: tuple[Call, ...] = ()
    same_count: int = 0
    error: str = ""
    error_count: int = 0
    alternating: tuple[Call, ...] = ()
    alternations: int = 0
    failed_edits: dict[str, int] = {}
    idle: int = 0
    nudged: tuple[str, ...] = ()


SAME_CALL, SAME_ERROR, ALTERNATION = "same_call", "same_error", "alternation"
FAILED_EDITS, NO_PROGRESS = "failed_edits", "no_progress"
COMPACTION = "compaction"

TABLE: dict[str, tuple[int, int]] = {
    SAME_CALL: (3, 5),
    SAME_ERROR: (3, 4),
    ALTERNATION: (6, 8),
    FAILED_EDITS: (3, 6),
    NO_PROGRESS: (15, 25),
}


class CircleDetector:
    """Counts what repeats, from `begun` on. Feed it the events of an attempt in order."""

    def __init__(self, begun: Circles | None = None) -> None:
        begun = begun or Circles()
        self._same, self._same_count = begun.same, begun.same_count
        self._error, self._error_count = begun.error, begun.error_count
        self._pair, self._alternations = begun.alternating, begun.alternations
        self._edits = Counter(begun.failed_edits)
        self._idle = begun.idle
        self._nudged = set(begun.nudged)
        self._seen: set[Call] = set()
        self.repeats = 0

    @property
    def circles(self) -> Circles:
        """What was seen is left out: who goes on has a new conversation, and must look again."""
        return Circles(
            same=self._same,
            same_count=self._same_count,
            error=self._error,
            error_count=self._error_count,
            alternating=self._pair,
            alternations=self._alternations,
            failed_edits=dict(self._edits),
            idle=self._idle,
            nudged=tuple(sorted(self._nudged)),
        )

    def forget(self) -> None:
        """The conversation starts over: whoever goes on must look again."""
        self._seen.clear()

    def nudged(self, signal: str) -> bool:
        """Whether the model has heard of it."""
        return signal in self._nudged

    def nudge(self, signal: str) -> None:
        self._nudged.add(signal)

    def observe(self, event: ToolCalled) -> Nudge | Stop | None:
        """The verdict on one call; a call that waits for a process is never held against it."""
        if event.waiting:
            return None
        call = (event.name, event.arguments, event.result)
        counts = {
            SAME_CALL: self._repeats(call),
            SAME_ERROR: self._errors(event),
            ALTERNATION: self._alternation(call),
            FAILED_EDITS: self._failed_edits(event),
            NO_PROGRESS: self._idling(event, call),
        }
        self.repeats += counts[SAME_CALL] > 1
        return _verdict(counts)

    def _repeats(self, call: Call) -> int:
        self._same_count = self._same_count + 1 if self._same == (call,) else 1
        self._same = (call,)
        return self._same_count

    def _errors(self, event: ToolCalled) -> int:
        if event.ok:
            self._error, self._error_count = "", 0
        else:
            self._error_count = self._error_count + 1 if event.result == self._error else 1
            self._error = event.result
        return self._error_count

    def _alternation(self, call: Call) -> int:
        """How many of the last calls are an unbroken A B A B …, A not being B."""
        if len(self._pair) > 1 and call == self._pair[0] != self._pair[1]:
            self._pair, self._alternations = (self._pair[1], call), self._alternations + 1
        elif self._pair and self._pair[-1] != call:
            self._pair, self._alternations = (self._pair[-1], call), 2
        else:
            self._pair, self._alternations = (call,), 1
        return self._alternations

    def _failed_edits(self, event: ToolCalled) -> int:
        if event.name != "edit" or not event.allowed:
            return 0
        path = event.read[0] if event.read else ""
        if event.ok:
            self._edits.pop(event.written[0] if event.written else path, None)
            return 0
        self._edits[path] += 1
        return self._edits[path]

    def _idling(self, event: ToolCalled, call: Call) -> int:
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
