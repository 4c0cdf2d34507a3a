"""Finds the tasks of a plan again after it was edited while a run went on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fanfold.plan.marks import without_shas

if TYPE_CHECKING:
    from fanfold.plan.model import Plan, Task

_MARK = re.compile(r"\[[ ~xX!-]\]")


class Reconciled(msgspec.Struct, frozen=True):
    """`mapping` leads from a task's id then to its id now; the others are ids of then.

    A task whose notes or sub-tasks were edited keeps its identity: it is in `mapping` and in
    `changed`. One whose title was edited is only in `changed`: nobody knows whether the work done
    is the work now asked for.
    """

    mapping: dict[str, str]
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()


def reconcile(parsed_then: Plan, parsed_now: Plan) -> Reconciled:
    """Match tasks by identity: the phase they stand in and their title, wherever they moved."""
    now = {task.key: task for task in parsed_now.tasks}
    mapping = {task.id: now[task.key].id for task in parsed_then.tasks if task.key in now}
    found = set(mapping.values())
    fresh = {task.id for task in parsed_now.tasks if task.id not in found}
    changed: list[str] = []
    vanished: list[str] = []
    for task in parsed_then.tasks:
        if task.id in mapping:
            if _content(parsed_then, task) != _content(parsed_now, now[task.key]):
                changed.append(task.id)
        elif task.id in fresh:
            changed.append(task.id)
        else:
            vanished.append(task.id)
    return Reconciled(mapping, tuple(changed), tuple(vanished))


def _content(plan: Plan, task: Task) -> list[str]:
    """What a task asks for: its details without marks, SHAs and spacing."""
    lines = _MARK.sub("[ ]", plan.text(task)).splitlines()[1:]
    return [without_shas(line)[0].strip() for line in lines if line.strip()]
