"""Finding runs: by name, by a unique prefix, or the latest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fanfold.bootstrap import open_project
from fanfold.cli.engines import AWS, LOCAL, NAMES, engine_of
from fanfold.cli.engines.whereabouts import remembered, remembered_batches
from fanfold.errors import ArtifactMissing, UnknownRun
from fanfold.run.state import UnitStatus
from fanfold.steps.journal import BatchJournal, Journal
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from fanfold.bootstrap import Project
    from fanfold.cli.engines import Engine
    from fanfold.cli.engines.whereabouts import Place
    from fanfold.run.listing import RunRow
    from fanfold.run.state import RunState


class Run(NamedTuple):
    """A run and the engine that knows it."""

    engine: Engine
    run_id: str

    def journal(self) -> Journal:
        """The run's log, folded as it is now."""
        journal = Journal(self.engine.events, self.run_id)
        journal.refresh()
        return journal


def add_run_argument(parser: argparse.ArgumentParser, default: str = "the latest") -> None:
    """The RUN argument: a name, a unique prefix, or nothing for `default`."""
    named = f"a run's or a batch's name, or a prefix of it (default: {default})"
    parser.add_argument("run", nargs="?", metavar="RUN", help=named)
    add_engine_argument(parser)


def add_engine_argument(parser: argparse.ArgumentParser) -> None:
    """Where to look for runs; without it, wherever they went from here."""
    parser.add_argument(
        "--engine",
        choices=NAMES,
        help="look among the runs of this machine, or of the deployment (default: those of here)",
    )


def project_of(args: argparse.Namespace, *, unborn: bool = False) -> Project:
    """The project that the command works on; `unborn` allows a repository without a commit."""
    return open_project(Path(args.directory or "."), unborn=unborn)


def find_run(project: Project, args: argparse.Namespace) -> Run:
    """The one run that `args.run` names; None is the latest.

    What is not known here is looked for in the deployment, if the settings name one.

    Raises:
        UnknownRun: none does, or more than one.
    """
    wanted: str | None = args.run
    runs = known_runs(project, args.engine)
    if wanted is None and runs:
        return _latest(runs)
    found = _matching(runs, wanted)
    if not found and args.engine is None and project.settings.cloud.stack:
        runs = known_runs(project, AWS)
        found = _matching(runs, wanted) or _just_asked_for(engine_of(project, AWS), wanted)
    if not found and not runs:
        raise UnknownRun("no run here yet; `fanfold run` starts one")
    if not found:
        raise UnknownRun(f"no run {wanted!r} here; `fanfold status` lists them")
    if len(found) > 1:
        names = ", ".join(r.run_id for r in found)
        raise UnknownRun(f"{wanted!r} fits {len(found)} runs: {names}")
    return found[0]


def known_runs(project: Project, engine: str | None = None) -> list[Run]:
    """The runs of an engine; by default all that were started here. Of each, the oldest first."""
    if engine == AWS:
        return _runs_of(engine_of(project, AWS))
    local = _runs_of(engine_of(project, LOCAL))
    return local if engine == LOCAL else local + _sent_from_here(project)


def known_rows(project: Project, engine: str | None = None) -> list[RunRow]:
    """The runs that `known_runs` gives, as rows of a list."""
    if engine is not None:
        return engine_of(project, engine).rows()
    rows = engine_of(project, LOCAL).rows()
    for found, names in _places(project).items():
        rows += found.rows(names)
    return rows


def _runs_of(engine: Engine) -> list[Run]:
    return [Run(engine, name) for name in engine.names()]


def _sent_from_here(project: Project) -> list[Run]:
    places = _places(project)
    return [Run(engine, name) for engine, names in places.items() for name in names]


def _places(project: Project) -> dict[Engine, list[str]]:
    """Where runs went into a cloud; nothing of AWS is imported where there are none."""
    names: dict[Place, list[str]] = {}
    for record in remembered(project):
        names.setdefault(record.place, []).append(record.run_id)
    batches: dict[Place, list[str]] = {}
    for record in remembered_batches(project):
        batches.setdefault(record.place, []).append(record.run_id)
    engines = {place: engine_of(project, AWS, place) for place in (*names, *batches)}
    return {
        engine: [*names.get(place, ()), *_runs_of_batches(engine, batches.get(place, ()))]
        for place, engine in engines.items()
    }


def _runs_of_batches(engine: Engine, batches: Iterable[str]) -> list[str]:
    states = (BatchJournal(engine.events, batch).refresh() for batch in batches)
    return [run for state in states for run in state.runs()]


def _just_asked_for(engine: Engine, wanted: str | None) -> list[Run]:
    """A run that no list holds yet."""
    return [Run(engine, wanted)] if wanted and engine.knows(wanted) else []


def _matching(runs: list[Run], wanted: str | None) -> list[Run]:
    if wanted is None:
        return runs[-1:]
    exact = [r for r in runs if r.run_id == wanted]
    return exact or [r for r in runs if r.run_id.startswith(wanted)]


def _latest(runs: list[Run]) -> Run:
    """The last of each engine's runs are compared by when they were asked for."""
    last = {run.engine: run for run in runs}.values()
    return runs[-1] if len(last) == 1 else max(last, key=_asked_at)


def _asked_at(run: Run) -> datetime:
    return run.journal().state.requested_at or datetime.max.replace(tzinfo=UTC)


def is_kept(run: Run) -> bool:
    """Whether what a run needs to go on is still there."""
    try:
        load_request(run.engine.artifacts, run.run_id)
    except ArtifactMissing:
        return False
    return True


def waiting_gate(state: RunState, wanted: str | None) -> str:
    """The gate that waits for an answer.

    Raises:
        UnknownRun: none waits, it is not `wanted`, or several wait and none was named.
    """
    waiting = [u.spec.id for u in state.units.values() if u.status is UnitStatus.WAITING]
    if wanted is not None and wanted in waiting:
        return wanted
    if wanted is not None:
        raise UnknownRun(
            f"no gate {wanted!r} waits in run {state.run_id}"
            + (f"; these do: {', '.join(waiting)}" if waiting else "")
        )
    if len(waiting) != 1:
        found = f"these gates wait: {', '.join(waiting)}; name one" if waiting else "no gate waits"
        raise UnknownRun(f"run {state.run_id}: {found}")
    return waiting[0]
