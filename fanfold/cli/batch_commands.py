"""The commands that name a RUN, where that is a batch."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from fanfold.cli.batch_board import BatchBoard
from fanfold.cli.batch_drive import conclude_batch, describe_batch, drive_batch, report_batch
from fanfold.cli.engines import LOCAL, engine_of
from fanfold.cli.live import shown
from fanfold.cli.output import say, say_bytes, say_json, say_line
from fanfold.errors import UnknownRun, UserError
from fanfold.run.artifacts import batch_file, result_file
from fanfold.run.batch_events import BatchResumed, batch_stream
from fanfold.run.events import CancelRequested, attempt_stream, run_stream
from fanfold.run.state import Outcome
from fanfold.steps.batch import advance
from fanfold.steps.batch_report import render
from fanfold.steps.batch_request import MANIFEST
from fanfold.steps.journal import BatchJournal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from fanfold.cli.known_batches import KnownBatch
    from fanfold.run.batch_state import BatchState
    from fanfold.run.events import Envelope

POLL_S = 0.3


def status(batch: KnownBatch, args: argparse.Namespace) -> int:
    view = batch.view()
    if args.json:
        say_json(view)
    else:
        say(describe_batch(view))
    return 0


def resume(batch: KnownBatch, args: argparse.Namespace) -> int:
    project, state = batch.project, batch.state()
    if state.outcome is Outcome.COMPLETED:
        return report_batch(project, state, as_json=args.json)
    if not project.artifacts.exists(batch_file(batch.batch_id, MANIFEST)):
        raise UnknownRun(f"batch {batch.batch_id} was cleaned and cannot go on; start a new one")
    if args.budget is not None and args.budget < state.cap - state.available:
        raise UserError(f"--budget is below what batch {batch.batch_id} has spent or promised")
    with ExitStack() as claims:
        for track in state.tracks.values():
            claims.enter_context(engine_of(project, LOCAL).claimed(track.spec.plan))
        state = drive_batch(project, batch.batch_id, resumed=True, cap=args.budget)
    return report_batch(project, state, as_json=args.json)


def cancel(batch: KnownBatch, args: argparse.Namespace) -> int:
    project, name = batch.project, batch.batch_id
    journal = BatchJournal(project.events, name)
    state = journal.refresh()
    if state.outcome not in (None, Outcome.WAITING):
        raise UnknownRun(f"batch {name} has ended already: {state.outcome}")
    if not batch.is_driven():
        state = _cancel_idle(batch, journal)
    else:
        journal.append(CancelRequested(by="user"), actor="user")
        advance(journal, project.artifacts)
    if args.json:
        say_json(batch.view())
    elif state.outcome is None:
        say(f"batch {name} is told to stop; its attempts end with what they have")
    else:
        say(f"batch {name} is cancelled")
    return 0


def show(batch: KnownBatch, args: argparse.Namespace) -> int:
    if args.task is not None:
        runs = ", ".join(run.run_id for run in batch.runs())
        raise UnknownRun(f"{batch.batch_id} is a batch: name one of its runs ({runs}) with a task")
    if args.patch:
        last = batch.state().latest_fold
        if last is None or last.ended is None:
            raise UnknownRun(f"batch {batch.batch_id} has no result yet")
        say_bytes(batch.project.artifacts.get(result_file(last.run, "result.patch")))
    elif args.json:
        say_json(batch.view())
    else:
        say(render(batch.view()).rstrip("\n"))
    return 0


def watch(batch: KnownBatch) -> int:
    board, lock = BatchBoard(batch.batch_id), threading.Lock()
    take = _reader(batch, board.feed)
    with shown(board, lock):
        while True:
            driven = batch.is_driven()
            with lock:
                take(_streams(batch, attempts=True))
            if board.state.outcome is not None or not driven:
                break
            batch.project.clock.sleep(POLL_S)
    say(describe_batch(batch.view()))
    return 0


def events(batch: KnownBatch, args: argparse.Namespace) -> int:
    take = _reader(batch, lambda _, news: [say_line(msgspec.to_builtins(e)) for e in news])
    while True:
        ended = batch.state().outcome is not None
        take(_streams(batch, attempts=args.attempts))
        if ended or not args.follow:
            return 0
        batch.project.clock.sleep(POLL_S)


def _cancel_idle(batch: KnownBatch, journal: BatchJournal) -> BatchState:
    """A batch that nobody drives ends here, with its runs."""
    state = journal.state
    if state.outcome is Outcome.WAITING:
        journal.append(BatchResumed(state.generation + 1))
    journal.append(CancelRequested(by="user"), actor="user")
    return conclude_batch(batch.project, batch.batch_id)


def _reader(
    batch: KnownBatch, take: Callable[[str, Sequence[Envelope]], object]
) -> Callable[[Iterator[str]], None]:
    """Hands on what is new in the streams that it is called with."""
    seen: dict[str, int] = {}

    def read(streams: Iterator[str]) -> None:
        for stream in streams:
            news = batch.project.events.read(stream, seen.get(stream, 0))
            if news:
                seen[stream] = news[-1].version
                take(stream, news)

    return read


def _streams(batch: KnownBatch, *, attempts: bool) -> Iterator[str]:
    """The batch's own stream first, then those of its runs."""
    yield batch_stream(batch.batch_id)
    for run_id in batch.state().runs():
        yield run_stream(run_id)
        if attempts:
            yield from batch.project.events.streams(attempt_stream(run_id, ""))
