"""The commands that name a RUN, where that is a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.cli.batch_drive import describe_batch, report_batch
from fanfold.cli.batch_follow import BatchFollower
from fanfold.cli.output import say, say_bytes, say_json, say_line
from fanfold.errors import UnknownRun
from fanfold.run.artifacts import batch_file, result_file
from fanfold.run.batch_events import batch_stream
from fanfold.run.events import attempt_stream, run_stream
from fanfold.run.state import Outcome
from fanfold.steps.batch_report import render
from fanfold.steps.batch_request import MANIFEST

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from fanfold.cli.known_batches import KnownBatch
    from fanfold.run.events import Envelope


def status(batch: KnownBatch, args: argparse.Namespace) -> int:
    view = batch.view()
    if args.json:
        say_json(view)
    else:
        say(describe_batch(view))
    return 0


def resume(batch: KnownBatch, args: argparse.Namespace) -> int:
    engine, state, name = batch.engine, batch.state(), batch.batch_id
    if state.outcome is Outcome.COMPLETED:
        engine.batches.fetch(name)
        return report_batch(engine, state, as_json=args.json)
    if not engine.artifacts.exists(batch_file(name, MANIFEST)):
        raise UnknownRun(f"batch {name} was cleaned and cannot go on; start a new one")
    state = engine.batches.resume(name, args.budget)
    return report_batch(engine, state, as_json=args.json)


def cancel(batch: KnownBatch, args: argparse.Namespace) -> int:
    name, outcome = batch.batch_id, batch.state().outcome
    if outcome not in (None, Outcome.WAITING):
        raise UnknownRun(f"batch {name} has ended already: {outcome}")
    state = batch.engine.batches.cancel(name)
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
        say_bytes(batch.engine.artifacts.get(result_file(last.run, "result.patch")))
    elif args.json:
        say_json(batch.view())
    else:
        say(render(batch.view()).rstrip("\n"))
    return 0


def watch(batch: KnownBatch) -> int:
    BatchFollower(batch.engine, batch.batch_id, batch.project.clock).follow()
    say(describe_batch(batch.view()))
    return 0


def events(batch: KnownBatch, args: argparse.Namespace) -> int:
    take = _reader(batch, lambda _, news: [say_line(msgspec.to_builtins(e)) for e in news])
    while True:
        ended = batch.state().outcome is not None
        take(_streams(batch, attempts=args.attempts))
        if ended or not args.follow:
            return 0
        batch.project.clock.sleep(batch.engine.pace.look_s)


def _reader(
    batch: KnownBatch, take: Callable[[str, Sequence[Envelope]], object]
) -> Callable[[Iterator[str]], None]:
    """Hands on what is new in the streams that it is called with."""
    seen: dict[str, int] = {}

    def read(streams: Iterator[str]) -> None:
        for stream in streams:
            news = batch.engine.events.read(stream, seen.get(stream, 0))
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
            yield from batch.engine.events.streams(attempt_stream(run_id, ""))
