"""`fanfold watch`: follow a run that another process drives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fanfold.cli.board import Board
from fanfold.cli.live import shown
from fanfold.cli.output import say
from fanfold.cli.runs import add_run_argument, find_run, project_of
from fanfold.cli.status import describe
from fanfold.run.events import attempt_stream, run_stream
from fanfold.run.view import outcome_of, run_view

if TYPE_CHECKING:
    import argparse

    from fanfold.ports import EventStore

POLL_S = 0.3
EXAMPLES = """\
examples:
  fanfold run --detach --budget 5 && fanfold watch
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    run = find_run(project, args)
    board, lock = Board(run.run_id), threading.Lock()
    seen: dict[str, int] = {}
    with shown(board, lock):
        while True:
            driven = run.engine.is_driven(run.run_id)
            with lock:
                _feed(run.engine.events, board, seen)
            if outcome_of(board.state) is not None or not driven:
                break
            project.clock.sleep(POLL_S)
    say(describe(run_view(board.state, interrupted=True)))
    return 0


def _feed(events: EventStore, board: Board, seen: dict[str, int]) -> None:
    attempts = events.streams(attempt_stream(board.run_id, ""))
    for stream in [run_stream(board.run_id), *attempts]:
        news = events.read(stream, seen.get(stream, 0))
        if news:
            seen[stream] = news[-1].version
            board.feed(stream, news)
