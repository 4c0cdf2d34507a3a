"""The run's tree at the end of each task of a unit, so that every task gets a commit of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import InvalidPatch
from fanfold.patch import gate
from fanfold.patch import merge as engine
from fanfold.patch.read import read_patch
from fanfold.plan.control import is_control
from fanfold.ports import REDACTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.run.attempt import FinishedTask, Report
    from fanfold.run.state import UnitState
    from fanfold.steps.request import Request
    from fanfold.steps.wiring import Wiring


def task_trees(
    unit: UnitState, report: Report, tree: str, request: Request, wiring: Wiring
) -> Iterator[tuple[str, str]]:
    """Each task that was finished before the unit's end, with `tree` as it would be after it.

    In the order in which they were finished. What the gate would refuse, or does not fit onto
    `tree`, is left out: its task then belongs to the next commit.
    """
    for finished in report.finished:
        if finished.patch and finished.task in unit.spec.tasks:
            after = _after(unit, finished, tree, request, wiring)
            if after is not None:
                yield finished.task, after


def _after(
    unit: UnitState, finished: FinishedTask, tree: str, request: Request, wiring: Wiring
) -> str | None:
    data = wiring.artifacts.get(finished.patch, finished.sha256)
    if REDACTION.encode() in data:
        return None
    objects = wiring.repository.objects
    try:
        gated = gate.check(
            read_patch(data),
            objects,
            finished.base_tree,
            writes=unit.spec.writes,
            control=lambda path: is_control(path, request.plan_path),
            scanner=wiring.secrets,
            cleared=unit.cleared is not None,
        )
    except InvalidPatch:
        return None
    incoming = engine.Incoming(finished.task, gated.patch, finished.base_tree, gated.edits)
    merged = engine.merge(objects, tree, [incoming], structured=True)
    if isinstance(merged.outcomes[0], engine.Conflicted):
        return None
    pack = merged.pack()
    if pack.count:
        wiring.repository.store_pack(pack.name, pack.data, pack.index)
    return merged.tree
