"""Live progress on stderr: a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from fanfold.settings import environment, wants_no_colour

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from fanfold.cli.batch_board import BatchBoard
    from fanfold.cli.board import Board
    from fanfold.ports import EventStore
    from fanfold.run.events import Envelope, EventData

REFRESHES_S = 8


class ObservedEvents:
    """An event store that tells a board of every append."""

    def __init__(self, store: EventStore, board: Board | BatchBoard, lock: threading.Lock) -> None:
        self._store, self._board, self._lock = store, board, lock

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
    """A way to show a board; only `look` touches it."""

    def look(self) -> None:
        """Take what is new off the board."""
        ...

    def draw(self) -> None:
        """Show it; raises `OSError` when nobody reads any more."""
        ...

    def close(self, *, leave: bool) -> None:
        """Give the terminal back; `leave` when nothing else will tell how things stand."""
        ...


@contextmanager
def shown(board: Board | BatchBoard, lock: threading.Lock) -> Generator[None]:
    """Show `board` on stderr while the block runs.

    `lock` guards the board, and is never held while a slow reader is waited for.
    """
    display: Display = LiveTable(board) if _can_redraw() else PlainLines(board)
    over = threading.Event()

    def show() -> None:
        with lock:
            display.look()
        display.draw()

    def follow() -> None:
        try:
            while not over.wait(1 / REFRESHES_S):
                show()
        except OSError:
            return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    finished = False
    try:
        yield
        finished = True
    finally:
        over.set()
        thread.join()
        # Nobody reading the progress is no reason to lose the result.
        with suppress(OSError):
            show()
            display.close(leave=not (finished and sys.stdout.isatty()))


def _can_redraw() -> bool:
    return sys.stderr.isatty() and environment().get("TERM", "dumb") not in ("dumb", "unknown")


class PlainLines:
    """A line for each change, for logs and pipes."""

    def __init__(self, board: Board | BatchBoard) -> None:
        self._board = board
        self._lines: list[str] = []

    def look(self) -> None:
        self._lines = [news.text + "\n" for news in self._board.news]
        self._board.news.clear()

    def draw(self) -> None:
        sys.stderr.writelines(self._lines)
        sys.stderr.flush()

    def close(self, *, leave: bool) -> None:  # noqa: ARG002
        if self._board.rows:
            sys.stderr.write(f"       {self._board.money_line()}\n")
            sys.stderr.flush()


class LiveTable:
    """A table that redraws itself, with the run's money below; news of the run scroll above it."""

    def __init__(self, board: Board | BatchBoard) -> None:
        from rich.console import Console, Group
        from rich.live import Live

        self._board = board
        self._news: list[str] = []
        self._frame = Group()
        self._console = Console(
            stderr=True,
            highlight=False,
            # Without colour rich would still make text bold and dim.
            color_system=None if wants_no_colour() else "auto",
        )
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()

    def look(self) -> None:
        from fanfold.cli.frame import frame

        self._news = [news.text for news in self._board.news if news.of_run]
        self._board.news.clear()
        width, height = self._console.size
        self._frame = frame(self._board, datetime.now(UTC), width, height)

    def draw(self) -> None:
        for text in self._news:
            self._console.print(text, style="dim", markup=False)
        self._live.update(self._frame, refresh=True)

    def close(self, *, leave: bool) -> None:
        self._live.transient = not leave
        self._live.stop()
