"""Finding and reading the plan that a command is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.bootstrap import open_project
from fanfold.cli.output import tell
from fanfold.errors import InvalidPlan, InvalidRepository, UserError
from fanfold.plan import formats, tracks
from fanfold.settings import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from fanfold.bootstrap import Project
    from fanfold.plan.model import Plan
    from fanfold.settings import Settings


class OutsidePlan(InvalidPlan):
    """A plan that lies in no place a run could write it back to."""


def plans_of(
    project: Project, args: argparse.Namespace, found: Sequence[tracks.Track] | None = None
) -> list[str]:
    """Repository paths of the plans that the command line means, each once.

    `found` are the known tracks, if somebody has looked for them.
    """
    start = Path(args.directory or ".")
    named = [_inside(project, start, name) for name in args.plan]
    if args.track or not (named or args.all_open):
        named += find_plans(project, args.track, found)
    if args.all_open:
        named += _open_plans(known_tracks(project) if found is None else found)
    return list(dict.fromkeys(named))


def _open_plans(found: Sequence[tracks.Track]) -> list[str]:
    """Of all open tracks, in the order of the list of tracks."""
    for track in found:
        if track.state is tracks.TrackState.INVALID and not track.archived:
            tell(f"left out: {track.problem}")
    return [track.plan for track in tracks.open_ones(found)]


def find_plans(
    project: Project, wanted: Sequence[str] = (), found: Sequence[tracks.Track] | None = None
) -> list[str]:
    """Repository paths of the plans of the tracks `wanted`, or of the one to run.

    Raises:
        UserError: no plan, or more than one that could be meant.
    """
    found = known_tracks(project) if found is None else found
    if wanted:
        return [_track(found, name).plan for name in wanted]
    runnable = tracks.runnable(found)
    if len(runnable) == 1:
        return [runnable[0].plan]
    if not found:
        raise UserError("no plan here: name one, or create conductor/tracks/<track>/plan.md")
    listing = ", ".join(f"{t.id} ({t.state.value})" for t in runnable or found)
    problem = "several tracks could be meant" if runnable else "no track is open"
    raise UserError(f"{problem}; name one with --track: {listing}")


def known_tracks(project: Project) -> tuple[tracks.Track, ...]:
    """The tracks in the work tree."""

    def read(path: str) -> bytes:
        return (project.root / path).read_bytes()

    folders = (project.root / name for name in tracks.FOLDERS)
    files = (p for folder in folders for p in folder.rglob("*.*") if p.is_file())
    return tracks.find([p.relative_to(project.root).as_posix() for p in files], read)


def looked_at(args: argparse.Namespace) -> tuple[Settings, list[Plan]]:
    """The plans that a command only looks at, and the settings that price them.

    Named plans may lie anywhere, also where no repository is.
    """
    start = Path(args.directory or ".")
    try:
        project = open_project(start, unborn=True)
    except InvalidRepository:
        if not args.plan:
            raise
        return load(start), [_read(start / name, name) for name in args.plan]
    if args.all_open or args.track or not args.plan:
        return project.settings, [read_plan(project, p) for p in plans_of(project, args)]
    return project.settings, [_look(project, start, name) for name in args.plan]


def read_plan(project: Project, path: str) -> Plan:
    """The parsed plan at a repository path, from the work tree.

    Raises:
        InvalidPlan: missing, unreadable, or not a plan.
    """
    return _read(project.root / path, path)


def _look(project: Project, start: Path, name: str) -> Plan:
    try:
        return read_plan(project, _inside(project, start, name))
    except OutsidePlan:
        return _read(start / name, name)


def _read(file: Path, shown: str) -> Plan:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise InvalidPlan(shown, 0, "no such file") from None
    except IsADirectoryError:
        raise InvalidPlan(shown, 0, "is a folder; name its plan.md") from None
    except OSError as error:
        raise InvalidPlan(shown, 0, f"cannot be read: {error.strerror}") from None
    return formats.parse(data, shown)


def _inside(project: Project, start: Path, name: str) -> str:
    """The repository path of a plan named from `start`, or from the repository's root."""
    path = (start / name).resolve()
    if not path.exists() and not Path(name).is_absolute():
        path = (project.root / name).resolve()
    try:
        relative = path.relative_to(project.root.resolve())
    except ValueError:
        problem = f"is not inside the repository {str(project.root)!r}"
        raise OutsidePlan(name, 0, problem) from None
    return relative.as_posix()


def _track(found: Sequence[tracks.Track], name: str) -> tracks.Track:
    fitting = [t for t in found if t.id == name] or [t for t in found if t.id.startswith(name)]
    if len(fitting) != 1:
        known = ", ".join(t.id for t in found) or "none"
        raise UserError(f"no one track {name!r}; tracks here: {known}")
    return fitting[0]
