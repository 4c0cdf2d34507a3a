"""Reads a plan's Markdown line by line: headings, checkboxes, and what belongs to them."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from fanfold.errors import InvalidPlan
from fanfold.plan import labels, marks, notes, paths
from fanfold.plan.assemble import assemble
from fanfold.plan.draft import PlanDraft, TaskDraft
from fanfold.plan.model import Box, Plan, Span, Warning
from fanfold.plan.outline import Outline
from fanfold.plan.scanner import Line, Role, scan
from fanfold.plan.source import require_text

_BULLET = re.compile(rb"[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
_RULE = re.compile(r"(?:[-*_][ \t]*){3,}$")
_GATE = re.compile(r"conductor\b.{0,40}verification|user manual verification", re.IGNORECASE)
_SUB_INDENT = 2


class Dialect(msgspec.Struct, frozen=True):
    """What sets one format of plans apart from the others.

    `label` splits a task's text into number, title and signs; `phase` reads a heading as a phase's;
    `tags` may stand in brackets without being a mark. With `conditions`, boxes below a heading such
    as "Verification" are no work.
    """

    name: str
    label: Callable[[str], labels.TaskLabel]
    phase: Callable[[str, int], labels.PhaseLabel | None] = labels.phase_label
    tags: frozenset[str] = frozenset()
    conditions: bool = True
    example: str = "- [ ] Task: …"


class Reader:
    """Walks the lines once; `task` is the item that the next line may still belong to."""

    def __init__(self, data: bytes, path: str, dialect: Dialect) -> None:
        self.dialect = dialect
        self.draft = PlanDraft(path, data, dialect.name)
        self.outline = Outline(self.draft, dialect.phase)
        self.task: TaskDraft | None = None
        self.after_blank = False
        self.listing_files = False

    def plan(self) -> Plan:
        """Read the plan. Raises InvalidPlan, with the line, for what is none: nothing else."""
        require_text(self.draft.data, self.draft.path)
        return assemble(self.read())

    def read(self) -> PlanDraft:
        """Read the file's text into a draft. Raises InvalidPlan where it holds no task."""
        found = scan(self.draft.data)
        self.draft.warnings.extend(found.warnings)
        for line in found.lines:
            self._take(line)
            self.after_blank = line.role is Role.BLANK
        if not self.draft.tasks:
            what = "only conditions, no task" if self._has_conditions() else "no task"
            problem = f"holds {what}; a task is a line such as {self.dialect.example!r}"
            raise InvalidPlan(self.draft.path, 0, problem)
        return self.draft

    def _has_conditions(self) -> bool:
        return bool(self.draft.conditions or any(phase.conditions for phase in self.draft.phases))

    def _take(self, line: Line) -> None:
        if line.role is Role.BLANK:
            return
        if line.role is Role.COMMENT:
            if self.task and line.indent >= self.task.indent + _SUB_INDENT:
                self.task.end = line.end
            self._comments(line)
        elif line.role is Role.CODE:
            self._belongs(line)
        elif heading := marks.heading(line.raw, self._place(line)):
            self._heading(line, heading)
        elif item := marks.item(line.raw, self._place(line)):
            self.take_item(line, item)
            self._comments(line)
        else:
            self._prose(line)

    def _heading(self, line: Line, heading: marks.Heading) -> None:
        text = line.raw[heading.text :].decode("utf-8", "replace").strip().rstrip("#").strip()
        label = self.dialect.phase(text, heading.level)
        if self.task and heading.level > self.task.level > 0 and not label:
            if heading.item:
                self._box(self.task, line, heading.item)
            self._detail(self.task, line, text)
            return
        self.task = None
        self.outline.close(heading.level)
        task_label = self.dialect.label(text)
        numbered = task_label.explicit and task_label.number
        if heading.level > 1 and not label and (heading.item or numbered):
            self.start_task(line, text, heading.item, level=heading.level)
        else:
            self.outline.open(line, heading, text)
        self._comments(line)

    def take_item(self, line: Line, item: marks.Item) -> None:
        """Take a checkbox for a task, a sub-task or a condition."""
        text = line.raw[item.text :].decode("utf-8", "replace").strip()
        if not text:
            self._warn(line, "empty_task", "a checkbox without text is no task")
        elif self.task and self._is_inside(self.task, line, text):
            self._box(self.task, line, item)
            self._detail(self.task, line, text)
        elif self._is_condition(text):
            self.task = None
            self.outline.add_condition(text)
        else:
            self.start_task(line, text, item)

    def start_task(
        self, line: Line, text: str, item: marks.Item | None, *, level: int = 0
    ) -> TaskDraft:
        """Begin the task that `text` on this line is."""
        title, sha = marks.without_shas(text)
        for comment in line.comments:
            sha = sha or marks.without_shas(f"- <!--{comment}-->")[1]
        label = self.dialect.label(title)
        task = TaskDraft(
            phase=self.outline.phase(),
            label=label.number,
            title=labels.plain(label.title) or labels.plain(title),
            state=item.state if item else None,
            line=line.number,
            mark=line.at(item.mark) if item else None,
            line_span=Span(line.start, line.end),
            end=line.end,
            indent=line.indent,
            level=level,
            sha=sha,
            parallel=label.parallel,
        )
        self.task, self.listing_files = task, False
        self.draft.tasks.append(task)
        return task

    def _is_inside(self, task: TaskDraft, line: Line, text: str) -> bool:
        """Is this checkbox a sub-task of `task`?"""
        if task.level or labels.is_subtask(text):
            return True
        return line.indent >= task.indent + _SUB_INDENT

    def _is_condition(self, text: str) -> bool:
        """Is this checkbox a condition? One that calls itself a task never is."""
        if not (self.dialect.conditions and self.outline.in_conditions):
            return False
        return not self.dialect.label(text).explicit and _GATE.search(text[:300]) is None

    def _place(self, line: Line) -> marks.Place:
        return marks.Place(self.draft.path, line.number, self.dialect.tags)

    def _box(self, task: TaskDraft, line: Line, item: marks.Item) -> None:
        task.boxes.append(Box(line.at(item.mark), item.state))

    def _detail(self, task: TaskDraft, line: Line, text: str) -> None:
        task.end = line.end
        task.details.append(text)
        files = notes.bold_files(text)
        if files is not None:
            self.listing_files = not files
            task.files.extend(paths.declared(files) or ())
        elif self.listing_files:
            listed = notes.bullet_files(text)
            self.listing_files = listed is not None
            task.files.extend(listed or ())

    def _prose(self, line: Line) -> None:
        text = line.text
        if self._belongs(line) and self.task:
            self._detail(self.task, line, text)
        elif text.startswith("**") and line.indent < _SUB_INDENT:
            self.outline.bold(text)
        self._comments(line)

    def _belongs(self, line: Line) -> bool:
        """Is this line part of the current task? If it is not, the task has ended."""
        if self.task is None:
            return False
        inside = self.task.level > 0 or line.indent >= self.task.indent + _SUB_INDENT
        if not inside and not self.after_blank:
            inside = line.role is Role.CODE or not _starts_something(line)
        if inside:
            self.task.end = line.end
        else:
            self.task = None
        return inside

    def _comments(self, line: Line) -> None:
        for note in (n for comment in line.comments for n in notes.read(comment, line.number)):
            if note.key != "execution" and self.task:
                self.task.notes.append(note)
                self.task.end = max(self.task.end, line.end)
            else:
                self.outline.add_note(note)

    def _warn(self, line: Line, code: str, text: str) -> None:
        self.draft.warnings.append(Warning(line.number, code, text))


def _starts_something(line: Line) -> bool:
    """Does this line begin a block of its own, so that it goes on with no paragraph?"""
    text = line.text
    return bool(_BULLET.match(line.raw)) or text[0] in "|>" or _RULE.match(text) is not None
