"""`fanfold clean`: free the space of finished runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.output import counted, say, say_json
from fanfold.cli.runs import add_engine_argument, find_run, known_runs, project_of
from fanfold.errors import RunBusy
from fanfold.run.state import Outcome
from fanfold.run.view import outcome_of

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  fanfold clean           the artifacts of every run that has ended, but for those that failed
                          from outside and can be resumed; logs and branches stay
  fanfold clean 3fa9
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="only this run (default: all ended)")
    add_engine_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    runs = [find_run(project, args)] if args.run else known_runs(project, args.engine)
    cleaned: list[str] = []
    files = 0
    for run in runs:
        name, ended = run.run_id, outcome_of(run.journal().state)
        if ended in (None, Outcome.WAITING) or run.engine.is_driven(name):
            if args.run:
                raise RunBusy(f"run {name} is not finished; `fanfold cancel {name}` first")
            continue
        if ended is Outcome.FAILED and not args.run:
            continue
        removed = run.engine.artifacts.delete(f"runs/{name}/")
        project.repository.release(f"runs/{name}")
        files += removed
        cleaned += [name] if removed else []
    if args.json:
        say_json({"schema": "fanfold.clean/1", "runs": cleaned, "files": files})
    else:
        what = f"{counted(files, 'file', 'files')} of {counted(len(cleaned), 'run', 'runs')}"
        say(f"removed {what}; logs and branches are kept")
    return 0
