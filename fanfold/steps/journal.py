"""The run's stream as the steps use it: fold, check, append on condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import FanfoldError, StreamConflict
from fanfold.run.events import (
    ApprovalDenied,
    ApprovalGranted,
    CancelRequested,
    EventData,
    RunResumed,
    recorded,
    run_stream,
)
from fanfold.run.evolve import fold
from fanfold.run.state import RunState

if TYPE_CHECKING:
    from fanfold.ports import EventStore
    from fanfold.run.events import Envelope, Recorded

FROM_PEOPLE = (CancelRequested, ApprovalGranted, ApprovalDenied)
TRIES = 20


class Superseded(FanfoldError):
    """A newer generation drives the run; this one stops."""


class Journal:
    """One run's stream with its fold; `state` is as of the last refresh or append."""

    def __init__(self, store: EventStore, run_id: str) -> None:
        self.store, self.run_id = store, run_id
        self.stream = run_stream(run_id)
        self.state = RunState()
        self._version = 0

    def refresh(self) -> RunState:
        """Fold what others appended since."""
        self._take(self.store.read(self.stream, self._version))
        return self.state

    def append(self, *events: EventData, actor: str = "fanfold") -> RunState:
        """Append to the stream as it was last seen.

        A person's word that came in between is folded first and does not stop the append.

        Raises:
            Superseded: another generation has taken the run over.
            StreamConflict: somebody else's event came in between; decide again.
        """
        for _ in range(TRIES):
            try:
                self._take(self.store.append(self.stream, self._version, events, actor=actor))
            except StreamConflict:
                if not self._only_people_since():
                    raise
            else:
                return self.state
        raise StreamConflict(self.stream, self._version, -1)

    def _only_people_since(self) -> bool:
        news = self._take(self.store.read(self.stream, self._version))
        if any(isinstance(n.data, RunResumed) for n in news):
            raise Superseded(
                f"run {self.run_id} was taken over by generation {self.state.generation}"
            )
        return all(isinstance(n.data, FROM_PEOPLE) for n in news)

    def _take(self, envelopes: list[Envelope]) -> list[Recorded]:
        events = [event for e in envelopes if (event := recorded(e)) is not None]
        if envelopes:
            self._version = envelopes[-1].version
            self.state = fold(events, self.state)
        return events
