"""One picture of a board for a terminal of a given size: the rows that fit, and the run's money."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from fanfold.cli.board import clock
from fanfold.cli.money import about

if TYPE_CHECKING:
    from datetime import datetime

    from fanfold.cli.batch_board import BatchBoard
    from fanfold.cli.board import Board, Row

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
URGENCY = ("needs you", "running", "patched", "failed", "rejected", "conflicted", "waiting")
COLUMNS = (
    ("unit", 0),
    ("state", 0),
    ("time", 56),
    ("role", 110),
    ("step", 66),
    ("tokens", 90),
    ("cost", 40),
    ("task", 0),
)
RIGHT = frozenset({"time", "tokens", "cost"})
STEP_WIDTH = 26
SPARE_LINES = 4
PADDING = 2


def frame(board: Board | BatchBoard, now: datetime, width: int, height: int) -> Group:
    """At most `height` - 1 lines of at most `width` columns."""
    rows = list(board.rows.values())
    shown = _chosen(rows, max(1, height - SPARE_LINES))
    started = board.started_at
    passed = clock((now - started).total_seconds()) if started else ""
    lines: list[Table | Text] = [_table(shown, now, width)] if shown else []
    hidden = [row for row in rows if row not in shown]
    if hidden:
        lines.append(_line(_summary(hidden), "dim"))
    return Group(*lines, _line(f" {board.money_line()}  {passed}  {board.name}", "bold"))


def _chosen(rows: list[Row], room: int) -> list[Row]:
    """In plan order; where not all fit, what moves or needs a person goes before what is over."""
    if len(rows) <= room:
        return rows
    order = {state: rank for rank, state in enumerate(URGENCY)}
    urgent = sorted(rows, key=lambda row: order.get(row.state, len(order)))[:room]
    return [row for row in rows if row in urgent]


def _summary(hidden: list[Row]) -> str:
    states = Counter(row.state for row in hidden)
    return f" and {len(hidden)} more: " + ", ".join(f"{n} {state}" for state, n in states.items())


def _table(rows: list[Row], now: datetime, width: int) -> Table:
    """All columns as wide as they need; the task gets what is left."""
    names = [name for name, least in COLUMNS if width >= least]
    cells = [_cells(row, now) for row in rows]
    widths = {name: max(len(name), *(len(c[name]) for c in cells)) for name in names}
    taken = sum(widths[name] + PADDING for name in names if name != "task")
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in names:
        table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=True)
    for row in cells:
        row["task"].truncate(max(1, width - taken - PADDING), overflow="ellipsis")
        table.add_row(*(row[name] for name in names))
    return table


def _cells(row: Row, now: datetime) -> dict[str, Text]:
    elapsed = row.elapsed_s(now)
    return {
        "unit": Text(row.unit),
        "state": Text(row.state, style=COLOURS.get(row.state, "dim")),
        "time": Text(clock(elapsed) if row.since or elapsed else ""),
        "role": Text(row.role),
        "step": _cut(row.step, STEP_WIDTH),
        "tokens": Text(f"{row.tokens:,}" if row.tokens else ""),
        "cost": Text(about(row.spent) if row.spent else ""),
        "task": Text(row.title),
    }


def _line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _cut(text: str, width: int) -> Text:
    cut = Text(text)
    cut.truncate(width, overflow="ellipsis")
    return cut
