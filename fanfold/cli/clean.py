"""`fanfold clean`: free the space of finished runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.bootstrap import clean_environments
from fanfold.cli.known_batches import KnownBatch, find_batch, known_batches
from fanfold.cli.output import counted, say, say_json
from fanfold.cli.runs import add_engine_argument, find_run, is_kept, known_runs, project_of
from fanfold.errors import RunBusy
from fanfold.run.state import Outcome
from fanfold.run.view import outcome_of

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.cli.runs import Run

EXAMPLES = """\
examples:
  fanfold clean           the artifacts of every run that has ended, but for those that failed
                          from outside and can be resumed; logs and branches stay. Besides, what
                          [prepare] made, in any repository, and nothing used for a week
  fanfold clean 3fa9
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="only this run (default: all ended)")
    add_engine_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    batch = find_batch(project, args) if args.run else None
    if batch is not None:
        cleaned, files = _clean_batch(batch)
    elif args.run:
        cleaned, files = _clean_one(project, find_run(project, args))
    else:
        cleaned, files = _clean_all(project, args.engine)
    layers = 0 if args.run else clean_environments()
    if args.json:
        told = {"runs": cleaned, "files": files, "environments": layers}
        say_json({"schema": "fanfold.clean/1", **told})
    else:
        what = f"{counted(files, 'file', 'files')} of {counted(len(cleaned), 'run', 'runs')}"
        say(f"removed {what}; logs and branches are kept")
        if layers:
            said = counted(layers, "environment", "environments")
            say(f"removed {said} of [prepare] that no checkout was made from for a week")
    return 0


def _clean_all(project: Project, engine: str | None) -> tuple[list[str], int]:
    """Names of the runs that were cleaned, and how many files went."""
    runs = [run for run in known_runs(project, engine) if _can_go(project, run)]
    cleaned, files = _remove(project, [r for r in runs if _ended(r) is not Outcome.FAILED])
    for batch in known_batches(project, engine):
        if _is_over(batch):
            files += _remove_batch(batch)
    return cleaned, files


def _clean_one(project: Project, run: Run) -> tuple[list[str], int]:
    if not _can_go(project, run):
        name = run.run_id
        raise RunBusy(f"run {name} is not finished; `fanfold cancel {name}` first")
    return _remove(project, [run])


def _clean_batch(batch: KnownBatch) -> tuple[list[str], int]:
    name = batch.batch_id
    if not _is_over(batch) or batch.is_driven():
        raise RunBusy(f"batch {name} is not finished; `fanfold cancel {name}` first")
    cleaned, files = _remove(batch.project, batch.runs())
    return cleaned, files + _remove_batch(batch)


def _can_go(project: Project, run: Run) -> bool:
    """Whether neither the run nor its batch can go on."""
    batch = run.journal().state.options.batch
    over = _ended(run) not in (None, Outcome.WAITING) and not run.engine.is_driven(run.run_id)
    return over and (not batch or _is_over(KnownBatch(project, batch, run.engine)))


def _ended(run: Run) -> Outcome | None:
    return outcome_of(run.journal().state)


def _is_over(batch: KnownBatch) -> bool:
    return batch.state().outcome not in (None, Outcome.WAITING, Outcome.FAILED)


def _remove(project: Project, runs: list[Run]) -> tuple[list[str], int]:
    """A result that nobody has fetched yet is brought here first."""
    for run in runs:
        if is_kept(run):
            run.engine.fetch(run.run_id)
    removed = {run.run_id: run.engine.artifacts.delete(f"runs/{run.run_id}/") for run in runs}
    for name in removed:
        project.repository.release(f"runs/{name}")
    return [name for name, files in removed.items() if files], sum(removed.values())


def _remove_batch(batch: KnownBatch) -> int:
    batch.project.repository.release(f"batches/{batch.batch_id}")
    return batch.engine.artifacts.delete(f"batches/{batch.batch_id}/")
