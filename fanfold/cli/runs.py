"""Finding runs: by name, by a unique prefix, or the latest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fanfold.bootstrap import open_project
from fanfold.cli.engines import LOCAL, engine_of
from fanfold.errors import ArtifactMissing, UnknownRun
from fanfold.run.state import UnitStatus
from fanfold.run.view import outcome_of
from fanfold.steps.journal import Journal
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.cli.engines import Engine
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


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """The RUN argument: a name, a unique prefix, or nothing for the latest run."""
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="a run's name or a prefix of it (default: the latest)"
    )


def project_of(args: argparse.Namespace, *, unborn: bool = False) -> Project:
    """The project that the command works on; `unborn` allows a repository without a commit."""
    return open_project(Path(args.directory or "."), unborn=unborn)


def find_run(project: Project, args: argparse.Namespace) -> Run:
    """The one run that `args.run` names; None is the latest.

    Raises:
        UnknownRun: none does, or more than one.
    """
    runs = known_runs(project)
    wanted: str | None = args.run
    if not runs:
        raise UnknownRun("no run here yet; `fanfold run` starts one")
    if wanted is None:
        return runs[-1]
    exact = [r for r in runs if r.run_id == wanted]
    found = exact or [r for r in runs if r.run_id.startswith(wanted)]
    if not found:
        raise UnknownRun(f"no run {wanted!r} here; `fanfold status` lists them")
    if len(found) > 1:
        names = ", ".join(r.run_id for r in found)
        raise UnknownRun(f"{wanted!r} fits {len(found)} runs: {names}")
    return found[0]


def known_runs(project: Project) -> list[Run]:
    """Every run that was started here, the oldest first."""
    local = engine_of(project, LOCAL)
    return [Run(local, name) for name in local.names()]


def run_names(project: Project) -> list[str]:
    """Names of the runs of this machine, oldest first."""
    return list(engine_of(project, LOCAL).names())


def is_kept(run: Run) -> bool:
    """Whether what a run needs to go on is still there."""
    try:
        load_request(run.engine.artifacts, run.run_id)
    except ArtifactMissing:
        return False
    return True


def standing(engine: Engine, state: RunState) -> str:
    """One word for how a run stands."""
    outcome = outcome_of(state)
    if outcome is not None:
        return outcome.value
    return "running" if engine.is_driven(state.run_id) else "interrupted"


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
