"""Driving a batch from the command line: live progress, the engine, the result."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

from fanfold.batch_engine import BatchEngine
from fanfold.bootstrap import holder, local
from fanfold.cli.batch_board import BatchBoard
from fanfold.cli.drive import RunStopped
from fanfold.cli.live import ObservedEvents, shown
from fanfold.cli.output import failure, say, say_json, table
from fanfold.engine import Interrupted
from fanfold.errors import FanfoldError
from fanfold.run.batch_events import batch_stream
from fanfold.run.batch_view import batch_exit_code
from fanfold.run.events import run_stream
from fanfold.run.money import dollars
from fanfold.run.state import Outcome
from fanfold.run.view import gate_line, worst_case_line
from fanfold.steps.batch_report import view_of
from fanfold.steps.batch_request import load_batch
from fanfold.steps.journal import BatchJournal

if TYPE_CHECKING:
    from fanfold.bootstrap import Project
    from fanfold.cli.engines import Engine
    from fanfold.run.attempt import Context
    from fanfold.run.batch_state import BatchState


def drive_batch(
    project: Project, batch_id: str, *, resumed: bool = False, cap: int | None = None
) -> BatchState:
    """Drive the batch in this process, shown live on stderr, and give its state.

    Raises:
        RunBusy: another process drives this batch.
        Interrupted: Ctrl-C.
        RunStopped: the disk or another part of this machine failed; the batch can be resumed.
    """
    batch = load_batch(project.artifacts, batch_id)
    some = next(iter(batch.requests.values()))
    board, lock = BatchBoard(batch_id), threading.Lock()
    stream = batch_stream(batch_id)
    board.feed(stream, project.events.read(stream))
    for run_id in board.state.runs():
        board.feed(run_stream(run_id), project.events.read(run_stream(run_id)))
    board.news.clear()
    events = ObservedEvents(project.events, board, lock)
    wiring = local(project, sandbox=some.options.sandbox, events=events)
    engine = BatchEngine(wiring, holder(), board.stopping)
    try:
        with shown(board, lock):
            return engine.resume(batch_id, cap) if resumed else engine.drive(batch_id)
    except KeyboardInterrupt:
        raise Interrupted(f"batch {batch_id} was stopped at once; {_how(batch_id)}") from None
    except OSError as error:
        _stopped(project, batch_id, failure(error), error)
    except FanfoldError as error:
        if error.exit_code != FanfoldError.exit_code:
            raise
        _stopped(project, batch_id, str(error), error)


def _stopped(project: Project, batch_id: str, problem: str, error: Exception) -> NoReturn:
    state = BatchJournal(project.events, batch_id).refresh()
    view = view_of(state, project.events, project.artifacts)
    view |= {"outcome": Outcome.FAILED.value, "error": problem}
    raise RunStopped(f"{problem}; {_how(batch_id)}", view) from error


def _how(batch_id: str) -> str:
    return f"`fanfold resume {batch_id}` goes on"


def conclude_batch(project: Project, batch_id: str) -> BatchState:
    """Bring a cancelled batch that nobody drives to its end; no model is called for that."""

    def no_model(context: Context) -> NoReturn:
        raise FanfoldError(f"attempt {context.attempt} of a cancelled batch asked for a model")

    wiring = local(project, sandbox=False, models=no_model)
    return BatchEngine(wiring, holder()).finish(batch_id)


def report_batch(place: Project | Engine, state: BatchState, *, as_json: bool) -> int:
    """Print the result of a batch whose logs are at `place`, and give the exit code."""
    view = view_of(state, place.events, place.artifacts)
    if as_json:
        say_json(view)
    else:
        say(describe_batch(view))
    return batch_exit_code(state)


def describe_batch(view: dict[str, Any]) -> str:
    """A batch as a table of tracks, its money and what to type next."""
    rows = [
        (t["id"], t["state"], t["reason"] or "", f"${t['cost_usd']}", t["run"] or "", t["title"])
        for t in view["tracks"]
    ]
    lines = [
        f"batch {view['batch']}: {view['outcome']}{'' if view['verified'] else ', unverified'}",
        "",
        table(("track", "state", "reason", "cost", "run", "title"), rows),
        "",
        f"${view['cost_usd']} of ${view['cap_usd']} in {view['duration_s']} s",
    ]
    if view["worst_case_usd"] != dollars(0):
        lines.append(worst_case_line(view["worst_case_usd"]))
    lines += [
        f"does not fit the cap: {t['id']} needs about ${t['need_usd']}"
        for t in view["tracks"]
        if t["reason"] == "budget" and not t["run"]
    ]
    lines += [f"conflict: {t['id']}" for t in view["tracks"] if t["state"] == "conflicted"]
    gates = (gate for gate in view["gates"] if gate["state"] == "waiting")
    lines += [f"run {gate['run']}, {gate_line(gate)}" for gate in gates]
    if view["branch"]:
        lines.append(f"result: branch {view['branch']}")
    return "\n".join([*lines, *(f"next: {command}" for command in view["next"])])
