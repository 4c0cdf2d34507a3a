"""`fanfold events`: the log as JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.cli.known_batches import find_batch
from fanfold.cli.output import say_line
from fanfold.cli.runs import add_run_argument, find_run, project_of
from fanfold.run.categories import Category, category_of
from fanfold.run.events import attempt_stream, run_stream
from fanfold.run.view import outcome_of

if TYPE_CHECKING:
    import argparse

    from fanfold.cli.runs import Run

POLL_S = 0.3
EXAMPLES = """\
examples:
  fanfold events | jq .event_type
  fanfold events --follow --attempts
  fanfold events --category network    what agents' commands were kept from
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("--follow", "-f", action="store_true", help="wait for more until it ends")
    parser.add_argument("--attempts", action="store_true", help="also the events of its attempts")
    parser.add_argument(
        "--category",
        choices=[category.value for category in Category],
        metavar="NAME",
        help=f"only what is about this, also in its attempts: {', '.join(Category)}",
    )
    parser.add_argument("--json", action="store_true", help="JSON lines, as always")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    batch = find_batch(project, args)
    if batch is not None:
        from fanfold.cli.batch_commands import events as events_of

        return events_of(batch, args)
    run = find_run(project, args)
    events = run.engine.events
    seen: dict[str, int] = {}
    while True:
        ended = outcome_of(run.journal().state) is not None
        for stream in _streams(run, attempts=args.attempts or bool(args.category)):
            for envelope in events.read(stream, seen.get(stream, 0)):
                seen[stream] = envelope.version
                if args.category in (None, category_of(envelope)):
                    say_line(msgspec.to_builtins(envelope))
        if ended or not args.follow:
            return 0
        project.clock.sleep(POLL_S)


def _streams(run: Run, *, attempts: bool) -> list[str]:
    own = [run_stream(run.run_id)]
    return own + (run.engine.events.streams(attempt_stream(run.run_id, "")) if attempts else [])
