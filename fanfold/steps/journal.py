"""A run's or a batch's stream as the steps use it: fold, check, append on condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from fanfold.errors import FanfoldError, StreamConflict
from fanfold.run.batch_events import BatchResumed, batch_stream
from fanfold.run.batch_state import BatchState
from fanfold.run.batch_state import fold as fold_batch
from fanfold.run.events import (
    ApprovalDenied,
    ApprovalGranted,
    CancelRequested,
    EventData,
    RetryRequested,
    RunResumed,
    recorded,
    run_stream,
)
from fanfold.run.evolve import fold
from fanfold.run.state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.ports import EventStore
    from fanfold.run.events import Envelope, Recorded

FROM_PEOPLE = (CancelRequested, ApprovalGranted, ApprovalDenied, RetryRequested)
TRIES = 20
S = TypeVar("S")


class Superseded(FanfoldError):
    """A newer generation drives the run; this one stops."""


class StreamJournal(Generic[S]):
    """A stream with its fold; `state` is as of the last refresh or append.

    A `resumed` event says that another generation has taken over.
    """

    def __init__(
        self,
        store: EventStore,
        stream: str,
        state: S,
        fold: Callable[[list[Recorded], S], S],
        resumed: type[EventData],
    ) -> None:
        self.store, self.stream, self.state = store, stream, state
        self._fold, self._resumed = fold, resumed
        self._version = 0

    def refresh(self) -> S:
        """Fold what others appended since."""
        self._take(self.store.read(self.stream, self._version))
        return self.state

    def append(self, *events: EventData, actor: str = "fanfold") -> S:
        """Append to the stream as it was last seen.

        A person's word that came in between is folded first and does not stop the append.

        Raises:
            Superseded: another generation has taken over.
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

    def append_unless(
        self, is_there: Callable[[S], bool], *events: EventData, actor: str = "fanfold"
    ) -> S:
        """Append unless the stream says it already, however many say it at once.

        Raises what `is_there` raises, which is asked again after every other writer's event.
        """
        for _ in range(TRIES):
            if is_there(self.refresh()):
                return self.state
            try:
                self._take(self.store.append(self.stream, self._version, events, actor=actor))
            except StreamConflict:
                continue
            return self.state
        raise StreamConflict(self.stream, self._version, -1)

    def _only_people_since(self) -> bool:
        news = self._take(self.store.read(self.stream, self._version))
        if any(isinstance(n.data, self._resumed) for n in news):
            raise Superseded(f"{self.stream} was taken over by a later generation")
        return all(isinstance(n.data, FROM_PEOPLE) for n in news)

    def _take(self, envelopes: list[Envelope]) -> list[Recorded]:
        events = [event for e in envelopes if (event := recorded(e)) is not None]
        if envelopes:
            self._version = envelopes[-1].version
            self.state = self._fold(events, self.state)
        return events


class Journal(StreamJournal[RunState]):
    """One run's stream with its fold."""

    def __init__(self, store: EventStore, run_id: str) -> None:
        super().__init__(store, run_stream(run_id), RunState(), fold, RunResumed)
        self.run_id = run_id


class BatchJournal(StreamJournal[BatchState]):
    """One batch's stream with its fold."""

    def __init__(self, store: EventStore, batch_id: str) -> None:
        super().__init__(store, batch_stream(batch_id), BatchState(), fold_batch, BatchResumed)
        self.batch_id = batch_id
