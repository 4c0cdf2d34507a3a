"""Driving a run from the command line.

Live progress, the engine, then the result and its exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.bootstrap import holder, local
from fanfold.cli.board import Board
from fanfold.cli.live import ObservedEvents, shown
from fanfold.cli.output import say, say_json
from fanfold.cli.status import describe
from fanfold.engine import LocalEngine
from fanfold.errors import FanfoldError
from fanfold.run.events import run_stream
from fanfold.run.view import exit_code, run_view
from fanfold.steps.journal import Journal
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    from fanfold.bootstrap import Project
    from fanfold.ports import ModelFactory, Prices
    from fanfold.run.attempt import Context
    from fanfold.run.state import RunState


def drive(
    project: Project,
    run_id: str,
    *,
    resumed: bool = False,
    cap: int | None = None,
    models: ModelFactory | None = None,
    prices: Prices | None = None,
) -> RunState:
    """Drive the run in this process, shown live on stderr, and give its state.

    Raises:
        RunBusy, Interrupted: as the engine says.
    """
    request = load_request(project.artifacts, run_id)
    board = Board(run_id)
    stream = run_stream(run_id)
    board.feed(stream, project.events.read(stream))
    board.news.clear()
    wiring = local(
        project,
        sandbox=request.options.sandbox,
        events=ObservedEvents(project.events, board),
        models=models,
        prices=prices,
    )
    engine = LocalEngine(wiring, holder())
    with shown(board):
        return engine.resume(run_id, cap) if resumed else engine.drive(run_id)


def report(state: RunState, *, as_json: bool) -> int:
    """Print the run's result, and give the exit code."""
    view = run_view(state)
    if as_json:
        say_json(view)
    else:
        say(describe(view))
    return exit_code(state)


def conclude(project: Project, run_id: str) -> RunState:
    """Bring a cancelled run that nobody drives to its end; no model is called for that."""

    def no_model(context: Context) -> None:
        raise FanfoldError(f"attempt {context.attempt} of a cancelled run asked for a model")

    # pyright: ignore[reportArgumentType]
    wiring = local(project, sandbox=False, models=no_model, prices=None)
    journal = Journal(project.events, run_id)
    return LocalEngine(wiring, holder()).finish(journal)
