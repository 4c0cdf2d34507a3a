"""Carries the marks that a run made over to a plan that was edited while it went on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.plan.model import FINISHED, Mark
from fanfold.plan.reconcile import reconcile
from fanfold.plan.write_back import splice

if TYPE_CHECKING:
    from fanfold.plan.model import Phase, Plan


class CarriedOver(msgspec.Struct, frozen=True):
    """The edited plan with the marks.

    `lost` are titles of marked tasks that it no longer holds, `changed` of those whose notes or
    sub-tasks it changed.
    """

    data: bytes
    lost: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def carry_over(then: Plan, marked: Plan, now: Plan) -> CarriedOver:
    """`now` with what `marked` changed in `then`: marks, SHAs and checkpoints, by identity.

    A phase to which an open task was added gets no checkpoint.

    Raises InvalidPlan where a mark cannot be set without changing more.
    """
    before = {t.id: t for t in then.tasks}
    fresh = [t for t in marked.tasks if (t.state, t.sha) != _told(before.get(t.id))]
    found = reconcile(then, now)
    mapping = found.mapping
    marks = [Mark(mapping[t.id], t.state, t.sha) for t in fresh if t.id in mapping]
    names = {p.name: p for p in now.phases if not _is_open(now, p, {m.task for m in marks})}
    closed = {p.id: p.checkpoint for p in then.phases}
    checkpoints = {
        names[p.name].id: p.checkpoint
        for p in marked.phases
        if p.checkpoint and not closed.get(p.id) and p.name in names
    }
    lost = tuple(t.title for t in fresh if t.id not in mapping)
    changed = tuple(t.title for t in fresh if t.id in mapping and t.id in found.changed)
    return CarriedOver(splice(now.data, now, marks, checkpoints), lost, changed)


def _is_open(plan: Plan, phase: Phase, done: set[str]) -> bool:
    return any(
        task.phase == phase.id and task.state not in FINISHED and task.id not in done
        for task in plan.tasks
    )


def _told(task: object) -> tuple[object, object]:
    return (getattr(task, "state", None), getattr(task, "sha", None))
