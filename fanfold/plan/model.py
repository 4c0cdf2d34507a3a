"""What a plan is once read: tasks with byte spans, and the graph of units that runs."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class TaskState(StrEnum):
    """The state a task's mark says."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    BLOCKED = "blocked"
    SKIPPED = "skipped"


FINISHED = frozenset({TaskState.DONE, TaskState.SKIPPED})


class Kind(StrEnum):
    """Who does a task: an agent, the checks, fanfold itself, or a person."""

    WORK = "work"
    CHECK = "check"
    BOOKKEEPING = "bookkeeping"
    GATE = "gate"


class Span(msgspec.Struct, frozen=True):
    """A half-open range of bytes."""

    start: int
    end: int


class Box(msgspec.Struct, frozen=True):
    """The checkbox of a sub-task or phase; `mark` spans its one mark character."""

    mark: Span
    state: TaskState


class Warning(msgspec.Struct, frozen=True):
    """Something odd that does not stop a run; `line` is 1-based."""

    line: int
    code: str
    text: str


class Task(msgspec.Struct, frozen=True):
    """A task item. `id` is structural and unique in the plan; `key` survives edits elsewhere in it.

    `mark` spans the one mark character (None where a heading task has no mark yet); `line_span`
    spans the line without its newline; `span` the whole item with sub-tasks and details. `needs`
    are task ids stated in the plan; `chained` is False where the plan states them, be it none, so
    that the item leaves the default chain. `boxes` are the sub-tasks' checkboxes, in order;
    `details` counts all lines below the task's own.
    """

    id: str
    key: str
    title: str
    phase: str
    state: TaskState
    kind: Kind
    line: int
    mark: Span | None
    line_span: Span
    span: Span
    sha: str | None = None
    needs: tuple[str, ...] = ()
    writes: tuple[str, ...] | None = None
    parallel: bool = False
    mentions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    chained: bool = True
    boxes: tuple[Box, ...] = ()
    details: int = 0


class Phase(msgspec.Struct, frozen=True):
    """A phase; `heading` spans its line without the newline, `conditions` must hold at its end.

    `needs` are the phases and `after` the tasks that it states to wait for.
    """

    id: str
    name: str
    line: int
    heading: Span | None
    checkpoint: str | None = None
    execution: str | None = None
    needs: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    chained: bool = True
    conditions: tuple[str, ...] = ()
    box: Box | None = None
    after: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """A parsed plan; `data` is the file, byte for byte."""

    path: str
    data: bytes
    sha256: str
    title: str
    phases: tuple[Phase, ...]
    tasks: tuple[Task, ...]
    warnings: tuple[Warning, ...] = ()
    format: str = "conductor"
    conditions: tuple[str, ...] = ()

    def text(self, task: Task) -> str:
        """The task's own Markdown, sub-tasks and notes included."""
        return self.data[task.span.start : task.span.end].decode("utf-8", "replace")


class Unit(msgspec.Struct, frozen=True):
    """What one attempt works on. `needs` are unit ids; `why` says what made it serial."""

    id: str
    tasks: tuple[str, ...]
    kind: Kind
    needs: tuple[str, ...] = ()
    writes: tuple[str, ...] | None = None
    covers: tuple[str, ...] = ()
    role: str = "implementer"
    minutes: float = 5.0
    why: tuple[str, ...] = ()


class Predicted(msgspec.Struct, frozen=True):
    """A path that a task will probably write, and why it seems so."""

    path: str
    why: str = ""


class Graph(msgspec.Struct, frozen=True):
    """Units in plan order and their waves; `speedup` is serial over critical-path minutes.

    `blocked` are the open tasks in no unit, because a task marked `[!]` stands before them.
    `needs` are those of every task of the plan, finished ones included, as task ids. `predicted` is
    by task what it will probably write, where that was asked for.
    """

    units: tuple[Unit, ...]
    waves: tuple[tuple[str, ...], ...]
    critical_path: tuple[str, ...] = ()
    speedup: float = 1.0
    warnings: tuple[Warning, ...] = ()
    blocked: tuple[str, ...] = ()
    needs: dict[str, tuple[str, ...]] = {}
    predicted: dict[str, tuple[Predicted, ...]] = {}


class Mark(msgspec.Struct, frozen=True):
    """One change that write-back makes to a task: its new state, and a commit's SHA."""

    task: str
    state: TaskState
    sha: str | None = None
