"""Following a batch that somebody else drives, live on stderr."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fanfold.cli.batch_board import BatchBoard
from fanfold.cli.board import News
from fanfold.cli.feed import Feed
from fanfold.cli.live import shown
from fanfold.errors import CloudUnavailable
from fanfold.run.batch_events import batch_stream

if TYPE_CHECKING:
    from fanfold.cli.engines import Engine
    from fanfold.ports import Clock
    from fanfold.run.batch_state import BatchState


class BatchFollower:
    """Shows a batch until it has ended, waits for a person, or nobody is at work on it.

    `state` is the batch as it was last seen.
    """

    def __init__(self, engine: Engine, batch_id: str, clock: Clock) -> None:
        self._engine, self._batch_id, self._clock = engine, batch_id, clock
        self._board, self._lock = BatchBoard(batch_id), threading.Lock()
        self._feeds: dict[str, Feed] = {}
        self._closed: dict[str, int] = {}
        self._version = 0
        self._heard, self._told = clock.monotonic(), False

    @property
    def state(self) -> BatchState:
        return self._board.state

    def follow(self) -> None:
        """Raises `CloudUnavailable` for a connection that does not come back."""
        with shown(self._board, self._lock):
            while not self._look():
                self._clock.sleep(self._engine.pace.look_s)

    def _look(self) -> bool:
        """Whether there is no more to come."""
        try:
            driven = self._engine.batches.is_driven(self._batch_id)
            self._read()
        except CloudUnavailable:
            if self._clock.monotonic() - self._heard > self._engine.pace.patience_s:
                raise
            self._tell("the connection is lost; trying again")
            return False
        self._heard, self._told = self._clock.monotonic(), False
        return self.state.outcome is not None or not driven

    def _read(self) -> None:
        """The batch's own stream first, then those of the runs that are under way, or just were."""
        stream = batch_stream(self._batch_id)
        news = self._engine.events.read(stream, self._version)
        if news:
            self._version = news[-1].version
            with self._lock:
                self._board.feed(stream, news)
        live = self.state.live
        for run_id in self.state.runs():
            if run_id in live or self._closed.get(run_id) != self.state.generation:
                self._feed(run_id).look()
                self._closed[run_id] = self.state.generation

    def _feed(self, run_id: str) -> Feed:
        if run_id not in self._feeds:
            self._feeds[run_id] = Feed(self._engine.events, self._board, self._lock, run_id)
        return self._feeds[run_id]

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            with self._lock:
                self._board.news.append(News(f"       {text}", True))
