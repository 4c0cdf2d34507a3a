"""The files that steer a run: fanfold alone writes them."""

from __future__ import annotations

import re
from posixpath import basename, dirname, normpath

_IN_TRACK = ("plan.md", "spec.md", "metadata.json", "index.md")
_WORKSPACE = ".ai-workspace"
_TRACKS = "tracks.md"
_ASKS = re.compile(
    r"\b(?:update|edit|change|modify|rewrite|amend|revise|append|add .{1,80} to|delete|remove)\b"
    r".{0,120}?"
    r"(?:`[\w./-]{0,120}|[\w./-]{0,120}/|\b)(?:(?<![\w-])(?:workflow|tracks|plan|spec)\.md|metadata\.json"
    r"|\.ai-workspace)\b",
    re.IGNORECASE,
)
_READ = 600
_LIST_DEPTH = 3


def control_files(plan_path: str) -> tuple[str, ...]:
    """The control files of the plan at `plan_path`: paths, and the pattern `.ai-workspace/**`.

    `tracks.md`, the list of tracks, is two folders above a track's own, or three.
    """
    plan = normpath(plan_path)
    track = dirname(plan)
    inside = [_join(track, name) for name in _IN_TRACK]
    folders = [track]
    while folders[-1] and len(folders) <= _LIST_DEPTH:
        folders.append(dirname(folders[-1]))
    lists = [_join(folder, _TRACKS) for folder in folders[1:] or [""]]
    return tuple(dict.fromkeys([plan, *inside, *lists, f"{_WORKSPACE}/**"]))


def is_control(path: str, plan_path: str) -> bool:
    """Is `path` a control file of the plan? Other files in the plan's folder are ordinary."""
    path = normpath(path)
    if path.casefold().split("/", 1)[0] == _WORKSPACE:
        return True
    return path in control_files(plan_path)


def asks_for_control(title: str, details: str = "") -> bool:
    """Does a task's wording ask to change a control file or `workflow.md`?"""
    return _ASKS.search(f"{title}\n{details}"[:_READ]) is not None


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def is_plan_name(path: str) -> bool:
    """Is this the name under which Conductor keeps a plan?"""
    return basename(path) == "plan.md"
