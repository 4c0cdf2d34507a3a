"""Guesses from what tasks mention which may run side by side (`--parallel infer`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.plan import wording
from fanfold.plan.paths import overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.plan.model import Task


def clash(earlier: Task, later: Task) -> str | None:
    """Why `later` should wait for `earlier`, as far as the words tell; None where nothing does."""
    path = overlap(_written(earlier), _written(later))
    if path is not None:
        return f"may write {path or 'any file'} as {earlier.id} does"
    if wording.writes_only_tests(earlier.title):
        return f"may implement what {earlier.id} tests"
    if wording.is_research(earlier.title):
        return f"may build on what {earlier.id} finds out"
    if wording.writes_only_tests(later.title) or wording.is_documentation(later.title):
        return f"may test or describe what {earlier.id} builds"
    return None


def writes(tasks: Sequence[Task]) -> tuple[str, ...] | None:
    """What a unit will probably write: the files its tasks declare, else those they mention."""
    found = dict.fromkeys(path for task in tasks for path in _written(task))
    return tuple(found) or None


def _written(task: Task) -> tuple[str, ...]:
    return task.writes if task.writes is not None else task.mentions
