"""Brings a board what is new in the log of its run and in those of its attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.events import AttemptDispatched, AttemptFinished, attempt_stream, run_stream

if TYPE_CHECKING:
    from threading import Lock

    from fanfold.cli.batch_board import BatchBoard
    from fanfold.cli.board import Board
    from fanfold.ports import EventStore
    from fanfold.run.events import Envelope

_BEGUN, _ENDED = AttemptDispatched.event_type(), AttemptFinished.event_type()


class Feed:
    """Reads the run's stream and those of the attempts in flight, each from where it was left.

    `lock` guards the board, and is never held while a store is waited for.
    """

    def __init__(
        self, events: EventStore, board: Board | BatchBoard, lock: Lock, run_id: str
    ) -> None:
        self._events, self._board, self._lock = events, board, lock
        self._run_id, self._run = run_id, run_stream(run_id)
        self._seen: dict[str, int] = {}
        self._flying: set[str] = set()

    def look(self, through: int | None = None) -> bool:
        """Take in what came since, of the run's stream up to a version; whether anything did."""
        before = sum(self._seen.values())
        for envelope in self._news(self._run, through):
            self._take(envelope)
        for attempt in sorted(self._flying):
            self._read(attempt)
        return sum(self._seen.values()) > before

    def _take(self, envelope: Envelope) -> None:
        """An attempt's own events come between its beginning and its end."""
        attempt = envelope.data.get("attempt", "")
        if envelope.event_type == _ENDED:
            self._read(attempt)
            self._flying.discard(attempt)
        elif envelope.event_type == _BEGUN:
            self._flying.add(attempt)
        self._show(self._run, [envelope])

    def _read(self, attempt: str) -> None:
        stream = attempt_stream(self._run_id, attempt)
        self._show(stream, self._news(stream))

    def _news(self, stream: str, through: int | None = None) -> list[Envelope]:
        found = self._events.read(stream, self._seen.get(stream, 0))
        if through is not None:
            found = [envelope for envelope in found if envelope.version <= through]
        if found:
            self._seen[stream] = found[-1].version
        return found

    def _show(self, stream: str, envelopes: list[Envelope]) -> None:
        with self._lock:
            self._board.feed(stream, envelopes)
