"""What a live display shows of a batch: the rows of all its runs, and the money of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.board import Board, News
from fanfold.cli.money import about
from fanfold.run.batch_state import BatchState, TrackState, fold
from fanfold.run.events import recorded
from fanfold.run.money import dollars

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fanfold.cli.board import Row
    from fanfold.run.events import Envelope

FOLD = "all"


class BatchBoard:
    """A `Board` of several runs; `news` are lines that nobody was shown yet."""

    def __init__(self, batch_id: str) -> None:
        self.batch_id = batch_id
        self.state = BatchState()
        self.boards: dict[str, Board] = {}
        self.news: list[News] = []

    @property
    def name(self) -> str:
        return f"batch {self.batch_id}"

    @property
    def started_at(self) -> datetime | None:
        return self.state.requested_at

    @property
    def rows(self) -> dict[str, Row]:
        """The units of all runs that were started, track by track."""
        return {
            f"{run_id}/{unit}": row
            for run_id in self.state.runs()
            if run_id in self.boards
            for unit, row in self.boards[run_id].rows.items()
        }

    def feed(self, stream: str, envelopes: Iterable[Envelope]) -> None:
        """Take in appended events of the batch's stream, of its runs, or of their attempts."""
        kind, _, rest = stream.partition("/")
        name = rest.partition("/")[0]
        if kind == "batch" and name == self.batch_id:
            events = [event for e in envelopes if (event := recorded(e)) is not None]
            self.state = fold(events, self.state)
        elif kind == "run" and name in self._labels():
            board = self.boards.get(name) or Board(name, label=f"{self._labels()[name]} ")
            self.boards[name] = board
            board.feed(stream, envelopes)
            self.news += board.news
            board.news.clear()

    def stopping(self) -> None:
        """Tell that everything was told to stop; safe in a signal handler."""
        told = Board(self.batch_id)
        told.stopping()
        self.news += told.news

    def money_line(self) -> str:
        """The batch's money in a line."""
        amounts = [board.money() for board in self.boards.values()]
        spent, reserved = (sum(amount[at] for amount in amounts) for at in (0, 1))
        held = f", {about(reserved)} reserved" if reserved else ""
        return f"{about(spent)} of ${dollars(self.state.cap)} spent{held}"

    def _labels(self) -> dict[str, str]:
        """What each run of the batch is called: its track, or the fold of all."""
        parts = (*self.state.tracks.values(), *self.state.folds.values())
        return {
            part.spec.run if isinstance(part, TrackState) else part.run: (
                part.spec.id if isinstance(part, TrackState) else FOLD
            )
            for part in parts
        }
