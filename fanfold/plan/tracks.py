"""Finds the tracks of a repository, says which may run, and marks one as approved."""

from __future__ import annotations

import re
from enum import StrEnum
from posixpath import basename, dirname
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fanfold.errors import InvalidPlan
from fanfold.plan import metadata, track_list
from fanfold.plan.formats import parse
from fanfold.plan.marks import Place, heading
from fanfold.plan.model import FINISHED, Plan, TaskState
from fanfold.plan.scanner import Line, Role, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Read = Callable[[str], bytes]

APPROVED = "approved"
_ARCHIVES = frozenset(("archive", "_archive", "archived"))
_PLAN = "plan.md"
_METADATA = "metadata.json"
_LIST = track_list.NAME
_FOLDER = "conductor"
FOLDERS = (_FOLDER, "specs", ".kiro/specs", "openspec/changes")
_TRACK = re.compile(
    r"""(?:^|/)(?:conductor/(?:[^/]+/)+plan\.md | specs/[^/]+/tasks\.md
    | openspec/changes/(?:archive/)?[^/]+/tasks\.md)$""",
    re.VERBOSE,
)
_STARTED = frozenset(("in_progress", "inprogress", "active", "started"))
_APPROVAL = re.compile(r"\W*Status\W*:\W*([A-Za-z][\w -]{0,40}?)\W*$", re.IGNORECASE)


class TrackState(StrEnum):
    """How far a track is; `invalid` when its plan cannot be read."""

    APPROVED = "approved"
    IN_PROGRESS = "in_progress"
    OPEN = "open"
    DONE = "done"
    INVALID = "invalid"


class Track(msgspec.Struct, frozen=True):
    """A track: its folder's name is its id; `depends_on` are ids, whether they exist or not.

    `unknown` are those that do not, each with the file that names it. `place` is where the list of
    tracks names it first, after all others where it does not.
    """

    id: str
    plan: str
    title: str
    state: TrackState
    archived: bool = False
    depends_on: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    problem: str = ""
    place: int = 0


def find(paths: Iterable[str], read: Read) -> tuple[Track, ...]:
    """The tracks among a repository's `paths`, in the order of their paths.

    A track is a folder somewhere below `conductor/` that holds a `plan.md`, or one of spec-kit's,
    Kiro's or OpenSpec's that holds a `tasks.md`. Its state is what the marks say: metadata and
    `tracks.md` are often out of date, so they only add approval, dependencies and a title.
    """
    known = set(paths)
    plans = sorted(path for path in known if _TRACK.search(path))
    ids = [basename(dirname(path)) for path in plans]
    lists = sorted(
        path for path in known if basename(path) == track_list.NAME and _FOLDER in path.split("/")
    )
    listed: dict[str, _Listed] = {}
    for path in lists:
        found = track_list.read(read(path), ids).items()
        listed.update({name: _Listed(path, entry) for name, entry in found})
    places = {name: place for place, name in enumerate(listed)}
    return tuple(
        msgspec.structs.replace(track, place=places.get(track.id, len(places)))
        for track in (_track(path, known, read, listed, set(ids)) for path in plans)
    )


class _Listed(NamedTuple):
    """An entry and the list in which it stands."""

    path: str
    entry: track_list.Entry


def runnable(tracks: Iterable[Track]) -> tuple[Track, ...]:
    """What `run` without a plan may mean: the approved tracks, else those begun or open."""
    live = [track for track in tracks if not track.archived]
    approved = [track for track in live if track.state is TrackState.APPROVED]
    return tuple(
        approved
        or [track for track in live if track.state in (TrackState.IN_PROGRESS, TrackState.OPEN)]
    )


def open_ones(tracks: Iterable[Track]) -> tuple[Track, ...]:
    """Every track that has something to do, approved or not, in the order of the list."""
    live = (TrackState.APPROVED, TrackState.IN_PROGRESS, TrackState.OPEN)
    found = [track for track in tracks if track.state in live and not track.archived]
    return tuple(sorted(found, key=lambda track: track.place))


def _track(
    path: str, known: set[str], read: Read, listed: dict[str, _Listed], ids: set[str]
) -> Track:
    folder = dirname(path)
    name = basename(folder)
    where, entry = listed.get(name, _Listed("", track_list.Entry()))
    about = f"{folder}/{_METADATA}"
    meta = metadata.read(read(about)) if about in known else metadata.Metadata()
    data = read(path)
    try:
        plan = parse(data, path)
    except InvalidPlan as error:
        state, title, problem = TrackState.INVALID, "", str(error)
    else:
        approved = APPROVED in (meta.status, approval(data))
        state, title, problem = _state(plan, approved, meta, entry), plan.title, ""
    return Track(
        id=name,
        plan=path,
        title=entry.title or meta.title or title or name,
        state=state,
        archived=bool(_ARCHIVES.intersection(folder.split("/"))),
        depends_on=tuple(dict.fromkeys((*meta.depends_on, *entry.depends_on))),
        unknown=(
            *((need, about) for need in meta.depends_on if need not in ids),
            *((need, where) for need in entry.unknown),
        ),
        problem=problem,
    )


def _state(
    plan: Plan, approved: bool, meta: metadata.Metadata, entry: track_list.Entry
) -> TrackState:
    states = {task.state for task in plan.tasks}
    if states <= FINISHED:
        return TrackState.DONE
    if approved:
        return TrackState.APPROVED
    begun = states & {TaskState.DONE, TaskState.IN_PROGRESS} or meta.status in _STARTED
    return TrackState.IN_PROGRESS if begun or entry.in_progress else TrackState.OPEN


def approval(data: bytes) -> str:
    """What `Status: …` before a plan's first section says, in lower case; empty without one."""
    return next((match[1].casefold() for _, match in _statuses(data)), "")


def _statuses(data: bytes) -> Iterator[tuple[Line, re.Match[str]]]:
    for line in scan(data).lines:
        found = line.role is Role.TEXT and heading(line.raw, Place(_PLAN, line.number))
        if found and found.level > 1:
            return
        if line.role is Role.TEXT and (match := _APPROVAL.match(line.text)):
            yield line, match


def approval_file(plan_path: str, exists: Callable[[str], bool]) -> str:
    """The file in which a track is approved: its metadata, else its plan."""
    about = f"{dirname(plan_path)}/{_METADATA}" if dirname(plan_path) else _METADATA
    return about if exists(about) else plan_path


def approve(data: bytes, path: str) -> bytes:
    """The file at `path` with the track marked as approved, every other byte kept.

    Raises InvalidPlan for a plan that cannot be read and for metadata that holds no object.
    """
    if basename(path) == _METADATA:
        approved = metadata.with_status(data, APPROVED)
        if approved is None:
            raise InvalidPlan(path, 1, "holds no JSON object")
        return approved
    plan = parse(data, path)
    approved = _approve_plan(data)
    if [task.key for task in parse(approved, path).tasks] != [task.key for task in plan.tasks]:
        raise InvalidPlan(path, 0, "cannot be approved safely: its tasks would read differently")
    return approved


def _approve_plan(data: bytes) -> bytes:
    """Change the status that stands before the first section, else put one below the title."""
    for line, match in _statuses(data):
        raw = data[line.start : line.end].decode()
        margin = len(raw) - len(raw.lstrip())
        start, end = (margin + offset for offset in match.span(1))
        changed = raw[:start] + APPROVED + raw[end:]
        return data[: line.start] + changed.encode() + data[line.end :]
    lines = scan(data).lines
    newline = data[lines[0].end : lines[1].start] if lines[1:] else b"\n"
    status = f"Status: {APPROVED}".encode()
    for line in lines:
        title = line.role is Role.TEXT and heading(line.raw, Place(_PLAN, line.number))
        if title:
            if title.level > 1:
                break
            return data[: line.end] + newline * 2 + status + data[line.end :]
    start = lines[0].start
    return data[:start] + status + newline * 2 + data[start:]
