"""A plan while it is being read: phases and tasks before they have ids and kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanfold.plan.model import Box, Span, TaskState, Warning
    from fanfold.plan.notes import Note


@dataclass(slots=True)
class TaskDraft:
    """A task as found; `label` is its own number (`1.2`, `T001`), `end` grows with its lines."""

    phase: PhaseDraft
    label: str
    title: str
    state: TaskState | None
    line: int
    mark: Span | None
    line_span: Span
    end: int
    indent: int
    level: int = 0
    sha: str | None = None
    parallel: bool = False
    boxes: list[Box] = field(default_factory=list["Box"])
    details: list[str] = field(default_factory=list[str])
    notes: list[Note] = field(default_factory=list["Note"])
    files: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class PhaseDraft:
    """A phase as found; `number` is empty where its heading has none."""

    number: str
    name: str
    line: int
    heading: Span | None
    checkpoint: str | None = None
    notes: list[Note] = field(default_factory=list["Note"])
    conditions: list[str] = field(default_factory=list[str])
    box: Box | None = None


@dataclass(slots=True)
class PlanDraft:
    """Everything a format's reader has found, in the order of the file."""

    path: str
    data: bytes
    format: str
    title: str = ""
    phases: list[PhaseDraft] = field(default_factory=list[PhaseDraft])
    tasks: list[TaskDraft] = field(default_factory=list[TaskDraft])
    conditions: list[str] = field(default_factory=list[str])
    warnings: list[Warning] = field(default_factory=list["Warning"])
