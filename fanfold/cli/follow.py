"""Following a run that somebody else drives, live on stderr."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from fanfold.cli.board import Board, News
from fanfold.cli.feed import Feed
from fanfold.cli.live import shown
from fanfold.errors import CloudUnavailable
from fanfold.run.events import recorded, run_stream
from fanfold.run.view import outcome_of
from fanfold.steps.announce import news_of

if TYPE_CHECKING:
    from fanfold.cli.engines import Engine
    from fanfold.ports import Clock
    from fanfold.run.state import RunState

UNHEARD_S = 60.0


class Pace(NamedTuple):
    """Seconds: between two looks, of silence before asking who is at work, of a lost connection."""

    look_s: float
    quiet_s: float
    patience_s: float


class Follower:
    """Shows one run until it has ended, waits for a person, or nobody is at work on it.

    `state` is the run as it was last seen.
    """

    def __init__(self, engine: Engine, run_id: str, clock: Clock) -> None:
        self._engine, self._run_id, self._clock = engine, run_id, clock
        self._board, self._lock = Board(run_id), threading.Lock()
        self._feed = Feed(engine.events, self._board, self._lock, run_id)
        self._began = self._changed = self._heard = clock.monotonic()
        self._told = False

    @property
    def state(self) -> RunState:
        return self._board.state

    def catch_up(self) -> None:
        """Take in what happened until the run last ended or began to wait; show nothing of it."""
        log = self._engine.events.read(run_stream(self._run_id))
        stops = news_of(event for e in log if (event := recorded(e)))
        self._feed.look(max((stop.version for stop in stops), default=0))
        self._board.news.clear()

    def follow(self) -> bool:
        """Whether the run has come to an end or to a gate; False when nobody is at work on it.

        Raises `CloudUnavailable` for a connection that does not come back.
        """
        with shown(self._board, self._lock):
            while (ended := self._look()) is None:
                self._clock.sleep(self._engine.pace.look_s)
        return ended

    def _look(self) -> bool | None:
        """None while there is more to come."""
        try:
            driven = not self._is_quiet() or self._engine.is_driven(self._run_id)
            if self._feed.look():
                self._changed = self._clock.monotonic()
        except CloudUnavailable:
            if self._clock.monotonic() - self._heard > self._engine.pace.patience_s:
                raise
            self._tell("the connection is lost; trying again")
            return None
        self._found()
        if outcome_of(self.state) is not None:
            return True
        return None if driven else False

    def _is_quiet(self) -> bool:
        return self._clock.monotonic() - self._changed >= self._engine.pace.quiet_s

    def _found(self) -> None:
        self._heard = self._clock.monotonic()
        if self.state.requested_at is not None:
            self._told = False
        elif self._heard - self._began > UNHEARD_S:
            self._tell("the request is not taken up yet; `fanfold doctor` may know why")

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            with self._lock:
                self._board.news.append(News(f"       {text}", True))
