"""The files that steer a run: fanfold alone writes them."""

from __future__ import annotations

import re
from posixpath import dirname, normpath

_IN_TRACK = ("plan.md", "spec.md", "metadata.json", "index.md")
_WORKSPACE = ".ai-workspace"
_TRACKS = "tracks.md"
_FILE = r"""`?(?:\./)?(?:conductor/(?:[\w.-]+/){0,6})?
    (?:(?:workflow|tracks|plan|spec)\.md|metadata\.json|\.ai-workspace)\b"""
_CHANGES_FILE = rf"""(?:update|edit|change|modify|rewrite|amend|revise|extend|refine|adjust|replace
    |delete|remove)\s+(?:(?:the|our|this|project|conductor|track)(?:'s)?\s+){{0,3}}{_FILE}"""
_ASKS = re.compile(
    rf"""\b(?:{_CHANGES_FILE}
    | (?:add|append|insert|record|document|write)\s.{{1,80}}?
        \s(?:to|in|into)\s(?:the\s)?{_FILE})""",
    re.IGNORECASE | re.VERBOSE,
)
_STEP_ASKS = re.compile(
    rf"[\s>*+-]*(?:\d+[.)]\s)?(?:\[.\]\s)?(?:sub-?task:\s)?{_CHANGES_FILE}",
    re.IGNORECASE | re.VERBOSE,
)
_IN_PLACE = re.compile(r"conductor/|workflow\.md", re.IGNORECASE)
_READ = 300
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
    """Does a task's wording ask to change a control file or `workflow.md`?

    Of the lines below its title only those count that begin by saying so and name the file as it
    lies in `conductor/`, or `workflow.md`: "Update tracks.md" is also a step of building a tool.
    """
    if _ASKS.search(title[:_READ]):
        return True
    steps = (step[:_READ] for step in details.splitlines())
    return any(_STEP_ASKS.match(step) and _IN_PLACE.search(step) for step in steps)


def is_any_control(path: str) -> bool:
    """Is `path` a control file of whatever track, where no plan says which one runs?"""
    parts = normpath(path).split("/")
    if parts[0].casefold() == _WORKSPACE:
        return True
    if "conductor" not in parts[:-1]:
        return False
    below = parts[parts.index("conductor") + 1 :]
    return below == [_TRACKS] or (len(below) > 1 and below[-1] in (*_IN_TRACK, _TRACKS))


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
