"""Kiro's `tasks.md`: groups `- [ ] 1. Name` over tasks `  - [ ] 1.1 …`; `[ ]*` is optional."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.plan import labels
from fanfold.plan.draft import PhaseDraft
from fanfold.plan.model import Box
from fanfold.plan.reader import Dialect, Reader

if TYPE_CHECKING:
    from fanfold.plan.draft import PlanDraft, TaskDraft
    from fanfold.plan.marks import Item
    from fanfold.plan.model import Plan
    from fanfold.plan.scanner import Line

NAME = "kiro"


def parse(data: bytes, path: str = "tasks.md") -> Plan:
    """Read a Kiro task list. Raises InvalidPlan, with the line, and nothing else."""
    return _KiroReader(data, path, _DIALECT).plan()


def _label(text: str) -> labels.TaskLabel:
    return labels.task_label(text.lstrip("* "))


_DIALECT = Dialect(NAME, _label, conditions=False, example="- [ ] 1. …")


class _KiroReader(Reader):
    """A numbered item is a phase: of its numbered sub-items, or of itself where it has none."""

    group: TaskDraft | None = None

    def read(self) -> PlanDraft:
        """Read the list; the heading above the groups is no phase."""
        draft = super().read()
        used = {id(task.phase) for task in draft.tasks}
        draft.phases = [phase for phase in draft.phases if id(phase) in used]
        return draft

    def start_task(self, line: Line, text: str, item: Item | None, *, level: int = 0) -> TaskDraft:
        task = super().start_task(line, text, item, level=level)
        if self.group and "." in task.label and task.indent > self.group.indent:
            task.phase = self.group.phase
        elif task.label:
            task.phase = PhaseDraft(task.label, task.title, task.line, task.line_span)
            self.draft.phases.append(task.phase)
            self.group = task
        return task

    def take_item(self, line: Line, item: Item) -> None:
        """Take a checkbox, and a numbered one below a group for one of the group's tasks."""
        group = self.group
        text = line.raw[item.text :].decode("utf-8", "replace").strip()
        if group and line.indent > group.indent and "." in _label(text).number:
            if self.task is group:
                self._make_phase(group)
            self.task = None
        super().take_item(line, item)

    def _make_phase(self, group: TaskDraft) -> None:
        """The group is no task of its own, but keeps its box."""
        self.draft.tasks.pop()
        if group.mark and group.state:
            group.phase.box = Box(group.mark, group.state)
