"""Finding runs: by name, by a unique prefix, or the latest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.bootstrap import open_project
from fanfold.errors import ArtifactMissing, UnknownRun
from fanfold.run.state import UnitStatus
from fanfold.run.view import outcome_of
from fanfold.steps.journal import Journal
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.run.state import RunState

STREAM = "run/"


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """The RUN argument: a name, a unique prefix, or nothing for the latest run."""
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="a run's name or a prefix of it (default: the latest)"
    )


def project_of(args: argparse.Namespace, *, unborn: bool = False) -> Project:
    """The project that the command works on; `unborn` allows a repository without a commit."""
    return open_project(Path(args.directory or "."), unborn=unborn)


def run_names(project: Project) -> list[str]:
    """Names of all runs, oldest first."""
    names = (s.removeprefix(STREAM) for s in project.events.streams(STREAM))
    return [n for n in names if "/" not in n]


def find_run(project: Project, wanted: str | None) -> str:
    """The one run that `wanted` names; None is the latest.

    Raises:
        UnknownRun: none does, or more than one.
    """
    names = run_names(project)
    if not names:
        raise UnknownRun("no run here yet; `fanfold run` starts one")
    if wanted is None:
        return names[-1]
    found = [n for n in names if n == wanted] or [n for n in names if n.startswith(wanted)]
    if not found:
        raise UnknownRun(f"no run {wanted!r} here; `fanfold status` lists them")
    if len(found) > 1:
        raise UnknownRun(f"{wanted!r} fits {len(found)} runs: {', '.join(found)}")
    return found[0]


def journal_of(project: Project, wanted: str | None) -> Journal:
    """The refreshed journal of the run that `wanted` names."""
    journal = Journal(project.events, find_run(project, wanted))
    journal.refresh()
    return journal


def is_driven(project: Project, run_id: str) -> bool:
    """Whether a live process drives the run now."""
    from fanfold.adapters.local.lease import FileLease

    lease = FileLease(project.workspace_dir, project.clock)
    return lease.holder(f"run/{run_id}") is not None


def is_kept(project: Project, run_id: str) -> bool:
    """Whether what a run needs to go on is still there."""
    try:
        load_request(project.artifacts, run_id)
    except ArtifactMissing:
        return False
    return True


def standing(project: Project, state: RunState) -> str:
    """One word for how a run stands."""
    outcome = outcome_of(state)
    if outcome is not None:
        return outcome.value
    return "running" if is_driven(project, state.run_id) else "interrupted"


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
