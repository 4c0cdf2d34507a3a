"""The live table in windows of every size."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from fanfold.cli.board import Board, Row
from fanfold.cli.frame import frame
from fanfold.run.state import RunState

START = datetime(2026, 1, 1, tzinfo=UTC)
STATES = ("merged", "running", "waiting", "patched", "needs you", "failed", "conflicted")
SECRET_MARKUP = "[bold]Write[/] the *thing* with a long, long title that goes on and on and on"


def board(count: int) -> Board:
    state = RunState(run_id="3fa9c01b22", requested_at=START, spent=1_234_567, cap=5_000_000)
    made = Board("3fa9c01b22", state)
    for number in range(count):
        made.rows[f"1.{number}"] = Row(
            unit=f"1.{number}",
            title=SECRET_MARKUP,
            role="implementer",
            state=STATES[number % len(STATES)],
            step="write src/a/very/long/path/to/some/module.py",
            tokens=123_456_789,
            spent=1_234_567,
            since=START if number % len(STATES) == 1 else None,
        )
    return made


def picture(made: Board, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(frame(made, START + timedelta(seconds=75), width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("height", [3, 6, 24, 60])
@pytest.mark.parametrize("count", [0, 1, 7, 50])
def test_it_fits_and_the_money_stays_visible(width: int, height: int, count: int) -> None:
    lines = picture(board(count), width, height)
    assert len(lines) <= max(height, 4)
    assert max(map(len, lines)) <= width
    assert lines[-1].startswith(" $1.23 of $5.00")


def test_what_moves_is_shown_before_what_is_over() -> None:
    lines = picture(board(14), 80, 10)
    shown = [line.split()[1] for line in lines[1:-2]]
    assert shown == ["running", "patched", "needs", "running", "patched", "needs"]
    assert " and 8 more: " in lines[-2]


def test_wide_windows_tell_more() -> None:
    narrow, wide = picture(board(2), 40, 24), picture(board(2), 120, 24)
    assert narrow[0].split() == ["unit", "state", "cost", "task"]
    assert wide[0].split() == ["unit", "state", "time", "role", "step", "tokens", "cost", "task"]
    assert "1:15" in wide[2]
    assert "implementer" in wide[2]
    assert "[bold]Write" in wide[2]
