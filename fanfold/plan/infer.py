"""Guesses from what tasks will probably write which may run side by side (`--parallel infer`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.plan import wording
from fanfold.plan.paths import overlap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanfold.plan.model import Predicted, Task

NAMED = "named"


class Guess:
    """What tasks write: the files they declare, else those predicted, else those they mention."""

    def __init__(self, predicted: Mapping[str, Sequence[Predicted]]) -> None:
        self._predicted = {
            task: {each.path: each.why for each in paths} for task, paths in predicted.items()
        }

    def tells(self, task: Task) -> bool:
        """Whether there is something to go by."""
        return bool(self._written(task))

    def clash(self, earlier: Task, later: Task) -> str | None:
        """Why `later` should wait for `earlier`, as far as is known; None where nothing says so."""
        path = overlap(self._written(earlier), self._written(later))
        if path is not None:
            return f"may write {path or 'any file'} as {earlier.id} does{self._why(later, path)}"
        if wording.writes_only_tests(earlier.title):
            return f"may implement what {earlier.id} tests"
        if wording.is_research(earlier.title):
            return f"may build on what {earlier.id} finds out"
        if wording.writes_only_tests(later.title) or wording.is_documentation(later.title):
            return f"may test or describe what {earlier.id} builds"
        return None

    def writes(self, tasks: Sequence[Task]) -> tuple[str, ...] | None:
        """What a unit will probably write."""
        found = dict.fromkeys(path for task in tasks for path in self._written(task))
        return tuple(found) or None

    def _written(self, task: Task) -> Sequence[str]:
        if task.writes is not None:
            return task.writes
        return tuple(self._predicted.get(task.id, task.mentions))

    def _why(self, task: Task, path: str) -> str:
        why = self._predicted.get(task.id, {}).get(path)
        return f" ({why})" if why and why != NAMED else ""
