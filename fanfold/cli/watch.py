"""`fanfold watch`: follow a run that another process drives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.follow import Follower
from fanfold.cli.known_batches import find_batch
from fanfold.cli.output import say
from fanfold.cli.runs import add_run_argument, find_run, project_of
from fanfold.cli.status import describe
from fanfold.run.view import run_view

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  fanfold run --detach --budget 5 && fanfold watch
  fanfold watch 3fa9 --engine aws    a run that somebody else submitted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    batch = find_batch(project, args)
    if batch is not None:
        from fanfold.cli.batch_commands import watch

        return watch(batch)
    run = find_run(project, args)
    follower = Follower(run.engine, run.run_id, project.clock)
    follower.follow()
    say(describe(run_view(follower.state, interrupted=True)))
    return 0
