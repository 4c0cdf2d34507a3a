"""Live progress on stderr: a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from fanfold.settings import environment

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from fanfold.cli.board import Board
    from fanfold.ports import EventStore
    from fanfold.run.events import Envelope, EventData

REFRESHES_S = 8


class ObservedEvents:
    """An event store that tells a board of every append."""

    def __init__(self, store: EventStore, board: Board, lock: threading.Lock) -> None:
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
    """A way to show a board."""

    def show(self) -> None:
        """Show what is new; raises `OSError` when nobody reads any more."""
        ...

    def close(self, *, leave: bool) -> None:
        """Give the terminal back; `leave` when nothing else will tell how things stand."""
        ...


@contextmanager
def shown(board: Board, lock: threading.Lock) -> Generator[None]:
    """Show `board` on stderr while the block runs; `lock` guards it."""
    display: Display = LiveTable(board) if _can_redraw() else PlainLines(board)
    over = threading.Event()

    def show() -> None:
        with lock:
            display.show()

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
        try:
            show()
            display.close(leave=not (finished and sys.stdout.isatty()))
        except OSError:
            over.set()


def _can_redraw() -> bool:
    return sys.stderr.isatty() and environment().get("TERM", "dumb") not in ("dumb", "unknown")


class PlainLines:
    """A line for each change, for logs and pipes."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def show(self) -> None:
        while self._board.news:
            sys.stderr.write(self._board.news.pop(0).text + "\n")
        sys.stderr.flush()

    def close(self, *, leave: bool) -> None:  # noqa: ARG002
        if self._board.state.admitted:
            sys.stderr.write(f"       {self._board.money_line()}\n")
            sys.stderr.flush()


class LiveTable:
    """A table that redraws itself, with the run's money below; news of the run scroll above it."""

    def __init__(self, board: Board) -> None:
        from rich.console import Console
        from rich.live import Live

        self._board = board
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()

    def show(self) -> None:
        from fanfold.cli.frame import frame

        while self._board.news:
            news = self._board.news.pop(0)
            if news.of_run:
                self._console.print(news.text, style="dim", markup=False)
        width, height = self._console.size
        now = datetime.now(UTC)
        self._live.update(frame(self._board, now, width, height), refresh=True)

    def close(self, *, leave: bool) -> None:
        self._live.transient = not leave
        self._live.stop()
