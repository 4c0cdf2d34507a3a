"""Writes `depends` and `files` comments into a plan, below tasks that state none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import InvalidPlan
from fanfold.plan import conductor
from fanfold.plan.formats import parse
from fanfold.plan.model import TaskState
from fanfold.plan.paths import declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanfold.plan.model import Plan, Task

OPEN = (TaskState.OPEN, TaskState.IN_PROGRESS)
_INDENT = re.compile(rb"[ \t]*")
_HEADING = re.compile(rb"\s*#")


class Sign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a task waits for, as task ids, and the globs of what it may write; None says nothing."""

    depends: tuple[str, ...] | None = None
    files: tuple[str, ...] | None = None


def with_signs(plan: Plan, signs: Mapping[str, Sign]) -> bytes:
    """The plan with a comment for each sign below its task's line; no other byte changes.

    Raises InvalidPlan for a task that is not there, not open, or states the same already, for a
    need of nothing or in a circle, for a path that is none, and where anything else of the plan
    would read differently.
    """
    if plan.format != conductor.NAME:
        raise InvalidPlan(plan.path, 0, f"is a {plan.format} plan, which knows no such comments")
    tasks = {task.id: task for task in plan.tasks}
    pieces: list[bytes] = []
    position = 0
    for name in sorted(signs, key=lambda name: tasks[name].line if name in tasks else 0):
        if name not in tasks:
            raise InvalidPlan(plan.path, 0, f"holds no task {name!r}")
        task = tasks[name]
        _require_unstated(plan, task, signs[name])
        end = task.line_span.end
        pieces += [plan.data[position:end], *_comments(plan.data, task, signs[name])]
        position = end
    data = b"".join([*pieces, plan.data[position:]])
    _confirm(plan, parse(data, plan.path, format=plan.format), signs)
    return data


def _require_unstated(plan: Plan, task: Task, sign: Sign) -> None:
    def refuse(why: str) -> InvalidPlan:
        return InvalidPlan(plan.path, task.line, f"task {task.id} {why}")

    if task.state not in OPEN:
        raise refuse("is not open")
    if sign.depends is not None and not task.chained:
        raise refuse("states already what it depends on")
    if sign.files is not None and task.writes is not None:
        raise refuse("states its files already")
    if sign.files is not None and declared(", ".join(sign.files)) != sign.files:
        raise refuse(f"cannot have these files: {', '.join(sign.files) or 'none'}")


def _comments(data: bytes, task: Task, sign: Sign) -> list[bytes]:
    line = data[task.line_span.start : task.line_span.end]
    found = _INDENT.match(line)
    indent = b"" if _HEADING.match(line) else (found[0] if found else b"") + b"    "
    newline = b"\r\n" if data[task.line_span.end : task.line_span.end + 2] == b"\r\n" else b"\n"
    told: list[str] = []
    if sign.depends is not None:
        told.append(f"depends: {', '.join(sign.depends) or 'none'}")
    if sign.files is not None:
        told.append(f"files: {', '.join(sign.files)}")
    return [newline + indent + f"<!-- {each} -->".encode() for each in told]


def _confirm(before: Plan, after: Plan, signs: Mapping[str, Sign]) -> None:
    nothing = Sign()
    then: list[object] = []
    for task in before.tasks:
        sign = signs.get(task.id, nothing)
        needs = task.needs if sign.depends is None else sign.depends
        writes = task.writes if sign.files is None else sign.files
        then.append((task.id, task.title, task.state, task.kind, frozenset(needs), writes))
    now: list[object] = [
        (task.id, task.title, task.state, task.kind, frozenset(task.needs), task.writes)
        for task in after.tasks
    ]
    if then != now:
        changed = [a for a, b in zip(before.tasks, after.tasks, strict=False) if a.id != b.id]
        line = changed[0].line if changed else 0
        raise InvalidPlan(before.path, line, "would read differently with these comments")
