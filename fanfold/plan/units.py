"""Groups a plan's tasks into units: what one attempt works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.plan import wording
from fanfold.plan.model import Kind, Plan, Task
from fanfold.plan.paths import overlap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanfold.plan.order import Edge

TASK_MINUTES = 4.0
"""What a task takes an agent, and what each line below it adds: a rule of thumb, unmeasured."""
DETAIL_MINUTES = 1.0
MAX_DETAIL_MINUTES = 12.0
CHECK_MINUTES = 2.0

UNIT_MINUTES = 20.0
UNIT_TASKS = 4
"""An `auto` unit of small neighbours stays within these."""


def minutes(task: Task) -> float:
    """Estimated minutes of a machine's time; none for what a person or fanfold itself does."""
    if task.kind is Kind.CHECK:
        return CHECK_MINUTES
    if task.kind is not Kind.WORK:
        return 0.0
    details = DETAIL_MINUTES * max(len(task.boxes), task.details)
    return TASK_MINUTES + min(details, MAX_DETAIL_MINUTES)


def group(
    tasks: Sequence[Task], needs: Mapping[str, Sequence[Edge]], unit: str
) -> list[list[Task]]:
    """Partition `tasks` (in plan order) into units by mode: `task`, `phase` or `auto`.

    Only neighbours of one phase are joined, and only where the later one waits for nothing outside
    the unit but what its members wait for as well: so joining never makes a circle. `auto` joins a
    test with its implementation, and neighbours while they stay small.
    """
    users: dict[str, int] = {}
    for edges in needs.values():
        for edge in edges:
            users[edge.before] = users.get(edge.before, 0) + 1
    units: list[list[Task]] = []
    for task in tasks:
        last = units[-1] if units else None
        if last and unit != "task" and _joins(last, task, needs, users, unit):
            last.append(task)
        else:
            units.append([task])
    return units


def _joins(
    unit: list[Task],
    task: Task,
    needs: Mapping[str, Sequence[Edge]],
    users: Mapping[str, int],
    mode: str,
) -> bool:
    last = unit[-1]
    if task.kind is not Kind.WORK or last.kind is not Kind.WORK or task.phase != last.phase:
        return False
    if task.flags != last.flags:
        return False
    before = {edge.before for edge in needs[task.id]}
    members = {member.id for member in unit}
    if mode == "phase":
        outside = {edge.before for member in unit for edge in needs[member.id]} - members
        return before <= members | outside
    small = sum(map(minutes, unit)) + minutes(task) <= UNIT_MINUTES and len(unit) < UNIT_TASKS
    if last.parallel and task.parallel:
        return small and _share_a_file(unit, task) and needs[task.id] == needs[unit[0].id]
    if before != {last.id} or users.get(last.id, 0) != 1:
        return False
    if wording.writes_only_tests(last.title) and not wording.writes_only_tests(task.title):
        return len(unit) < UNIT_TASKS
    return small and _same_hands(unit, task)


def _same_hands(unit: list[Task], task: Task) -> bool:
    """Do tests stay free to be joined with their implementation, which follows them?"""
    return not wording.writes_only_tests(task.title) or all(
        wording.writes_only_tests(member.title) for member in unit
    )


def _share_a_file(unit: list[Task], task: Task) -> bool:
    """Would `[P]` neighbours have to wait for each other anyway?"""
    return overlap(touched(unit) or (), touched([task]) or ()) is not None


def role(tasks: Sequence[Task], plan: Plan) -> str:
    """The role that all tasks of a unit ask for; `implementer` where they differ."""
    roles = {wording.role(task.title, _below(task, plan)) for task in tasks}
    return roles.pop() if len(roles) == 1 else "implementer"


def _below(task: Task, plan: Plan) -> str:
    """The lines of a task below its own."""
    return plan.data[task.line_span.end : task.span.end].decode("utf-8", "replace")


def touched(tasks: Sequence[Task], *, exact: bool = False) -> tuple[str, ...] | None:
    """What must not be touched beside a unit: the files it declares, or those of a `[P]` task.

    `[P]` itself says "different files", so what such a task mentions is taken at its word; with
    `exact`, what any task mentions is.
    """
    declared = writes(tasks)
    if declared is None and (exact or all(task.parallel for task in tasks)):
        return tuple(dict.fromkeys(path for task in tasks for path in task.mentions)) or None
    return declared


def writes(tasks: Sequence[Task]) -> tuple[str, ...] | None:
    """What a unit may write: the union, where every task declares its files; else anything."""
    if any(task.writes is None for task in tasks):
        return None
    return tuple(dict.fromkeys(path for task in tasks for path in task.writes or ()))
