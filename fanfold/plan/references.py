"""Resolves what a `depends` names (`task1`, `1.2`, `phase 2b`) to tasks and phases."""

from __future__ import annotations

import re

from fanfold.errors import InvalidPlan
from fanfold.plan.notes import Note, references

_PHASE_TASK = re.compile(
    r"phase[ _-]?([\w.-]{1,24}?)[ _./-]+task[ _-]?([\w.-]{1,24})", re.IGNORECASE
)
_PHASE = re.compile(r"phase[ _-]?([\w.-]{1,24})", re.IGNORECASE)
_TASK = re.compile(r"(?:sub-?)?task[ _-]?([\w.-]{1,24})", re.IGNORECASE)


class Directory:
    """Everything in a plan that a reference can name."""

    def __init__(self, path: str, phases: dict[str, list[str]]) -> None:
        """`phases` holds the task ids of each phase, in order."""
        self._path = path
        self._phases = {phase.casefold(): phase for phase in phases}
        self._tasks_of = phases
        self._tasks = {task.casefold(): task for tasks in phases.values() for task in tasks}
        self._labels: dict[str, list[str]] = {}

    def label(self, label: str, task: str) -> None:
        """Say that the plan itself calls `task` by `label`."""
        self._labels.setdefault(label.casefold(), []).append(task)

    def tasks(self, note: Note, phase: str) -> tuple[str, ...]:
        """The task ids that a task's `depends` names. Raises InvalidPlan for a name of nothing."""
        found: dict[str, None] = {}
        for name in references(note.value):
            found.update(dict.fromkeys(self._find(name, phase) or self._dangling(name, note.line)))
        return tuple(found)

    def phases(self, note: Note) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The phases and tasks that a phase's `depends` names. Raises InvalidPlan likewise."""
        phases: dict[str, None] = {}
        tasks: dict[str, None] = {}
        for name in references(note.value):
            match = _PHASE.fullmatch(name)
            phase = self._phases.get((match[1] if match else name).casefold())
            if phase is not None:
                phases[phase] = None
            else:
                tasks.update(dict.fromkeys(self._find(name, "") or self._dangling(name, note.line)))
        return tuple(phases), tuple(tasks)

    def _find(self, name: str, phase: str) -> list[str]:
        if match := _PHASE_TASK.fullmatch(name):
            inside = self._phases.get(match[1].casefold(), match[1])
            return self._task(match[2], inside, elsewhere=False)
        if match := _TASK.fullmatch(name):
            return self._task(match[1], phase)
        if match := _PHASE.fullmatch(name):
            return list(self._tasks_of.get(self._phases.get(match[1].casefold(), ""), ()))
        return self._task(name, phase)

    def _task(self, name: str, phase: str, *, elsewhere: bool = True) -> list[str]:
        """That number in the phase at hand; else that id; else the one that bears this label."""
        name = name.casefold()
        for candidate in (f"{phase.casefold()}.{name}", name):
            if candidate in self._tasks:
                return [self._tasks[candidate]]
        labelled = self._labels.get(name, []) if elsewhere else []
        return labelled if len(labelled) == 1 else []

    def _dangling(self, name: str, line: int) -> list[str]:
        raise InvalidPlan(
            self._path, line, f"depends on {name!r}, which is no task or phase of this plan"
        )
