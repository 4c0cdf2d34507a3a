"""Names for phases and tasks: ids to type, and keys that survive edits elsewhere in the plan."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

from fanfold.plan.labels import slug

if TYPE_CHECKING:
    from fanfold.plan.draft import PhaseDraft, TaskDraft

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_DIGITS = re.compile(r"\d{1,4}")
_IMPLICIT_PHASE = "plan"
_KEY_LENGTH = 16


class Names:
    """Gives out identifiers of `[A-Za-z0-9._-]`, each once, whatever the case of its letters."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: Counter[str] = Counter()

    def take(self, wanted: str) -> str:
        """`wanted`, or `wanted-2`, `wanted-3`, … where it is taken."""
        safe = _UNSAFE.sub("-", wanted).strip("-.") or "x"
        name = safe
        while name.casefold() in self._taken:
            self._next[safe] += 1
            name = f"{safe}-{self._next[safe] + 1}"
        self._taken.add(name.casefold())
        return name


def phase_ids(phases: list[PhaseDraft]) -> list[str]:
    """The number of a phase, else a slug of its name; `plan` for tasks before any phase."""
    names = Names()
    ids: list[str] = []
    for position, phase in enumerate(phases, 1):
        wanted = phase.number or slug(phase.name)
        ids.append(names.take(wanted or (f"p{position}" if phase.heading else _IMPLICIT_PHASE)))
    return ids


def task_ids(tasks: list[TaskDraft], phases: dict[int, str]) -> list[str]:
    """`1.2` for phase 1, task 2; a label of the plan's own (`1.2`, `T014`) as it is.

    Tasks without a number count on from the last one in their phase. `phases` maps `id(phase)` to
    the phase's id.
    """
    names = Names()
    last: dict[int, int] = {}
    ids: list[str] = []
    for task in tasks:
        phase = id(task.phase)
        prefix = f"{phases[phase]}." if task.phase.heading else ""
        is_phase = task.phase.heading == task.line_span
        if task.label and (is_phase or not _DIGITS.fullmatch(task.label)):
            wanted = task.label
            tail = task.label.rsplit(".", 1)[-1]
            if "." in task.label and _DIGITS.fullmatch(tail):
                last[phase] = max(last.get(phase, 0), int(tail))
        else:
            last[phase] = int(task.label) if task.label else last.get(phase, 0) + 1
            wanted = f"{prefix}{last[phase]}"
        ids.append(names.take(wanted))
    return ids


def phase_keys(phases: list[PhaseDraft]) -> list[str]:
    """Hashes of the phases' names, counted where a name stands twice."""
    return _keys([("phase", _normal(phase.name)) for phase in phases])


def task_keys(tasks: list[TaskDraft], phases: dict[int, str]) -> list[str]:
    """Hashes of phase and title, without marks and SHAs; counted where both stand twice."""
    return _keys([(phases[id(task.phase)], _normal(task.title)) for task in tasks])


def _keys(paths: list[tuple[str, str]]) -> list[str]:
    seen: Counter[tuple[str, str]] = Counter()
    keys: list[str] = []
    for path in paths:
        seen[path] += 1
        text = "\0".join((*path, str(seen[path])))
        keys.append(hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH])
    return keys


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())
