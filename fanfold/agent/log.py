"""The one writer of an attempt's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.events import recorded

if TYPE_CHECKING:
    from fanfold.ports import EventStore, Progress
    from fanfold.run.events import EventData, Recorded


class AttemptLog:
    """Appends to one stream and keeps its version; `told` is what went through this object.

    `append` raises `StreamConflict` when somebody else has written: another epoch has the attempt,
    and this one must stop without spending.
    """

    def __init__(
        self, store: EventStore, stream: str, version: int = 0, *, progress: Progress | None = None
    ) -> None:
        self.stream, self.version = stream, version
        self.told: list[EventData] = []
        self._store, self._progress = store, progress

    @classmethod
    def resume(
        cls, store: EventStore, stream: str, *, progress: Progress | None = None
    ) -> AttemptLog:
        """At the stream's present end."""
        events = store.read(stream)
        return cls(store, stream, events[-1].version if events else 0, progress=progress)

    def append(self, *events: EventData) -> None:
        if not events:
            return
        envelopes = self._store.append(self.stream, self.version, events)
        self.version = envelopes[-1].version
        self.told += events
        if self._progress is not None:
            self._progress(self.stream, envelopes)

    def read(self) -> list[Recorded]:
        """All events of the stream that this version knows."""
        typed = (recorded(envelope) for envelope in self._store.read(self.stream))
        return [event for event in typed if event is not None]
