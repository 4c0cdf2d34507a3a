"""Live progress on stderr: a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from fanfold.run.money import dollars

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from rich.table import Table

    from fanfold.cli.board import Board
    from fanfold.ports import EventStore
    from fanfold.run.events import Envelope, EventData

REFRESHES_S = 8
COLOURS = {
    "merged": "green",
    "done": "green",
    "running": "cyan",
    "patched": "cyan",
    "needs you": "yellow",
    "failed": "red",
    "rejected": "red",
    "conflicted": "red",
}


class ObservedEvents:
    """An event store that tells a board of every append."""

    def __init__(self, store: EventStore, board: Board) -> None:
        self._store, self._board = store, board
        self._lock = threading.Lock()

    def append(
        self, stream: str, expected: int, events: Sequence[EventData], *, actor: str = "fanfold"
    ) -> list[Envelope]:
        envelopes = self._store.append(stream, expected, events, actor=actor)
        with self._lock:
            self._board.feed(stream, envelopes)
        return envelopes

    def read(self, stream: str, after: int = 0) -> list[Envelope]:
        return self._store.read(stream, after)

    def streams(self, prefix: str = "") -> list[str]:
        return self._store.streams(prefix)


class Display(Protocol):
    """Something that shows a board until it is closed."""

    def close(self) -> None: ...


@contextmanager
def shown(board: Board, *, quiet: bool = False) -> Generator[None]:
    """Show `board` on stderr while the block runs."""
    if quiet:
        yield
        return
    display: Display = LiveTable(board) if sys.stderr.isatty() else PlainLines(board)
    try:
        yield
    finally:
        display.close()


class PlainLines:
    """A line for each change, for logs and pipes."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._print()

    def _follow(self) -> None:
        while not self._over.wait(1 / REFRESHES_S):
            self._print()

    def _print(self) -> None:
        while self._board.news:
            print(self._board.news.pop(0), file=sys.stderr, flush=True)  # noqa: T201


class LiveTable:
    """A table that redraws itself, with the run's money below."""

    def __init__(self, board: Board) -> None:
        from rich.console import Console
        from rich.live import Live

        self._board = board
        self._live = Live(
            get_renderable=self._table,
            console=Console(stderr=True),
            refresh_per_second=REFRESHES_S,
        )
        self._live.start()

    def close(self) -> None:
        self._live.stop()

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        spent, reserved, cap = self._board.money()
        table = Table(
            box=None,
            caption=f"run {self._board.run_id}: ${dollars(spent)} spent, "
            f"${dollars(reserved)} reserved, cap ${dollars(cap)}",
            caption_justify="left",
        )
        for column in ("unit", "state", "step", "tokens", "dollars", "task"):
            table.add_column(column, justify="right" if column in ("tokens", "dollars") else "left")
        for row in list(self._board.rows.values()):
            table.add_row(
                row.unit,
                Text(row.state, style=COLOURS.get(row.state, "")),
                Text(row.step, overflow="ellipsis", no_wrap=True),
                f"{row.tokens:,}",
                dollars(row.spent),
                Text(row.title, overflow="ellipsis", no_wrap=True),
            )
        return table
