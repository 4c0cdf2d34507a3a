"""Driving a run from the command line.

Live progress, the engine, then the result and its exit code.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

from fanfold.bootstrap import holder, local
from fanfold.cli.board import Board
from fanfold.cli.feed import Feed
from fanfold.cli.live import ObservedEvents, shown
from fanfold.cli.output import failure, say, say_json
from fanfold.cli.status import describe
from fanfold.engine import Interrupted, LocalEngine
from fanfold.errors import FanfoldError
from fanfold.run.state import Outcome
from fanfold.run.view import exit_code, run_view
from fanfold.steps.journal import Journal
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    from fanfold.bootstrap import Project
    from fanfold.ports import ModelFactory, Prices
    from fanfold.run.attempt import Context
    from fanfold.run.state import RunState


class RunStopped(FanfoldError):
    """Something outside failed in the middle of a run; `view` is the run as it stands."""

    def __init__(self, problem: str, view: dict[str, Any]) -> None:
        super().__init__(problem)
        self.view = view


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
        RunBusy: another process drives this run.
        Interrupted: Ctrl-C.
        RunStopped: the disk or another part of this machine failed; the run can be resumed.
    """
    request = load_request(project.artifacts, run_id)
    board, lock = Board(run_id), threading.Lock()
    Feed(project.events, board, lock, run_id).look()
    board.news.clear()
    wiring = local(
        project,
        sandbox=request.options.sandbox,
        events=ObservedEvents(project.events, board, lock),
        models=models,
        prices=prices,
    )
    engine = LocalEngine(wiring, holder(), board.stopping)
    try:
        with shown(board, lock):
            return engine.resume(run_id, cap) if resumed else engine.drive(run_id)
    except KeyboardInterrupt:
        raise Interrupted(f"run {run_id} was stopped at once; {_how(run_id)}") from None
    except OSError as error:
        _stopped(board.state, failure(error), error)
    except FanfoldError as error:
        if error.exit_code != FanfoldError.exit_code:
            raise
        _stopped(board.state, str(error), error)


def _stopped(state: RunState, problem: str, error: Exception) -> NoReturn:
    view = {**run_view(state), "outcome": Outcome.FAILED.value, "error": problem}
    raise RunStopped(f"{problem}; {_how(state.run_id)}", view) from error


def _how(run_id: str) -> str:
    return f"`fanfold resume {run_id}` goes on"


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

    def no_model(context: Context) -> NoReturn:
        raise FanfoldError(f"attempt {context.attempt} of a cancelled run asked for a model")

    wiring = local(project, sandbox=False, models=no_model)
    journal = Journal(project.events, run_id)
    return LocalEngine(wiring, holder()).finish(journal)
