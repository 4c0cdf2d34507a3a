"""Turns what a format's reader found into a Plan with ids, keys, kinds and resolved needs."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from fanfold.plan import identity, kinds, paths
from fanfold.plan.control import asks_for_control
from fanfold.plan.model import Kind, Phase, Plan, Span, Task, TaskState, Warning
from fanfold.plan.order import require_acyclic
from fanfold.plan.references import Directory

if TYPE_CHECKING:
    from fanfold.plan.draft import PhaseDraft, PlanDraft, TaskDraft
    from fanfold.plan.notes import Note

_CLOSED = (TaskState.DONE, TaskState.SKIPPED)


def assemble(draft: PlanDraft) -> Plan:
    """Build the plan. Raises InvalidPlan for a reference to nothing and for a cycle."""
    return _Assembly(draft).plan()


class _Assembly:
    def __init__(self, draft: PlanDraft) -> None:
        self.draft = draft
        self.warnings = list(draft.warnings)
        self.phase_ids = dict(
            zip(map(id, draft.phases), identity.phase_ids(draft.phases), strict=True)
        )
        self.task_ids = identity.task_ids(draft.tasks, self.phase_ids)
        self.tasks_of: dict[str, list[str]] = {phase: [] for phase in self.phase_ids.values()}
        for task, name in zip(draft.tasks, self.task_ids, strict=True):
            self.tasks_of[self.phase_ids[id(task.phase)]].append(name)
        self.directory = Directory(draft.path, self.tasks_of)
        for task, name in zip(draft.tasks, self.task_ids, strict=True):
            if task.label:
                self.directory.label(task.label, name)
        self.lines: dict[str, int] = {}

    def plan(self) -> Plan:
        draft = self.draft
        keys = identity.task_keys(
            draft.tasks,
            dict(zip(self.phase_ids, identity.phase_keys(draft.phases), strict=True)),
        )
        tasks = tuple(map(self._task, draft.tasks, self.task_ids, keys))
        phases = tuple(self._phase(phase, self.phase_ids[id(phase)]) for phase in draft.phases)
        self._warn_of_duplicates(tasks)
        plan = Plan(
            path=draft.path,
            data=draft.data,
            sha256=hashlib.sha256(draft.data).hexdigest(),
            title=draft.title,
            phases=phases,
            tasks=tasks,
            warnings=tuple(sorted(self.warnings, key=lambda warning: warning.line)),
            format=draft.format,
            conditions=tuple(draft.conditions),
        )
        require_acyclic(plan, self.lines)
        return plan

    def _task(self, draft: TaskDraft, name: str, key: str) -> Task:
        details = "\n".join(draft.details)
        phase = self.phase_ids[id(draft.phase)]
        kind = kinds.kind(draft.title, details)
        depends = _last(draft.notes, "depends")
        if depends:
            self.lines[name] = depends.line
        flags = kinds.needs_of(draft.title) if kind is Kind.WORK else ()
        return Task(
            id=name,
            key=key,
            title=draft.title,
            phase=phase,
            state=draft.state or _state_of_boxes(draft),
            kind=kind,
            line=draft.line,
            mark=draft.mark,
            line_span=draft.line_span,
            span=Span(draft.line_span.start, draft.end),
            sha=draft.sha,
            needs=self.directory.tasks(depends, phase) if depends else (),
            writes=self._writes(draft),
            parallel=draft.parallel,
            mentions=paths.mentions(f"{draft.title}\n{details}"),
            flags=(*flags, "control") if asks_for_control(draft.title, details) else flags,
            chained=depends is None,
            boxes=tuple(draft.boxes),
            details=len(draft.details),
        )

    def _writes(self, draft: TaskDraft) -> tuple[str, ...] | None:
        files = dict.fromkeys(draft.files)
        for note in draft.notes:
            if note.key == "files":
                declared = paths.declared(note.value)
                if declared is None:
                    text = f"{note.value!r} is no list of paths; no write set is enforced"
                    self.warnings.append(Warning(note.line, "bad_files", text))
                    return None
                files.update(dict.fromkeys(declared))
        return tuple(files) or None

    def _phase(self, draft: PhaseDraft, name: str) -> Phase:
        execution = _last(draft.notes, "execution")
        depends = _last(draft.notes, "depends")
        if depends:
            self.lines[f"phase {name}"] = depends.line
        needs, after = self.directory.phases(depends) if depends else ((), ())
        return Phase(
            id=name,
            name=draft.name,
            line=draft.line,
            heading=draft.heading,
            checkpoint=draft.checkpoint,
            execution=execution.value.casefold().partition(" ")[0] if execution else None,
            needs=needs,
            after=after,
            tasks=tuple(self.tasks_of[name]),
            chained=depends is None,
            conditions=tuple(draft.conditions),
            box=draft.box,
        )

    def _warn_of_duplicates(self, tasks: tuple[Task, ...]) -> None:
        seen: Counter[tuple[str, str]] = Counter()
        for task in tasks:
            seen[task.phase, task.title] += 1
            if seen[task.phase, task.title] == 2:
                text = f"{task.title!r} stands twice in phase {task.phase}"
                self.warnings.append(Warning(task.line, "duplicate_title", text))


def _last(notes: list[Note], key: str) -> Note | None:
    return next((note for note in reversed(notes) if note.key == key), None)


def _state_of_boxes(draft: TaskDraft) -> TaskState:
    """The state of a heading without a mark: done once everything below it is."""
    done = draft.boxes and all(box.state in _CLOSED for box in draft.boxes)
    return TaskState.DONE if done else TaskState.OPEN
