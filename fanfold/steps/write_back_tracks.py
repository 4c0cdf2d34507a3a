"""Write back of a fold: a merge commit for each track, then the list of tracks marked."""

from __future__ import annotations

from dataclasses import dataclass, field
from posixpath import basename
from typing import TYPE_CHECKING

from fanfold.plan import formats, track_list
from fanfold.plan.control import control_files
from fanfold.plan.model import FINISHED, TaskState
from fanfold.run.artifacts import result_file
from fanfold.run.decide import done_units
from fanfold.run.events import PlanWrittenBack
from fanfold.steps.fold_tracks import unit_names
from fanfold.steps.result_branch import move_branch

if TYPE_CHECKING:
    from datetime import datetime

    from fanfold.run.state import RunState
    from fanfold.run.steps import WriteBack
    from fanfold.steps.journal import Journal
    from fanfold.steps.request import Part, Request
    from fanfold.steps.wiring import Wiring


def write_back_tracks(journal: Journal, step: WriteBack, request: Request, wiring: Wiring) -> None:
    """Build the branch anew from the base, move it, and append `plan_written_back`.

    Every commit of a track that was taken in lies on the branch, so that the commits its plan
    names are found there.
    """
    writer = _Writer(journal.state, request, wiring)
    writer.merge_tracks()
    writer.mark_lists()
    move_branch(wiring.repository, request.result, writer.tip)
    wiring.artifacts.put(result_file(journal.run_id, "plan.md"), writer.listing())
    journal.append(
        PlanWrittenBack(
            branch=request.result,
            tip=writer.tip,
            tree=writer.tree,
            merged_tree=step.tree,
            commits=writer.commits,
            done=done_units(journal.state),
        )
    )


@dataclass
class _Writer:
    """The branch while it grows from the base."""

    state: RunState
    request: Request
    wiring: Wiring
    tip: str = ""
    tree: str = ""
    taken: list[Part] = field(default_factory=list["Part"])
    commits: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.tip, self.tree = self.request.base, self.request.base_tree

    def merge_tracks(self) -> None:
        """In the order in which they were merged, each with the marks of its plan."""
        units = unit_names(self.request.parts)
        parts = {units[part.track]: part for part in self.request.parts}
        plans: dict[str, bytes] = {}
        for entry, when in zip(self.state.kept, self.state.applied_at, strict=False):
            part = parts[entry.unit]
            plan = self._read_result(part)
            if plan is not None:
                plans[part.plan] = plan
            tree = entry.tree
            for path, data in plans.items():
                tree = self.wiring.repository.replace(tree, path, data)
            message = f"Merge track '{part.title}'\n\nFanfold-Track: {part.track}\n"
            message += f"Fanfold-Run: {part.run}\nFanfold-Attempt: {entry.attempt}\n"
            self._commit(tree, message, when, part.tip)
            self.taken.append(part)
            self.commits[entry.unit] = self.tip

    def mark_lists(self) -> None:
        """Only marks change: `[x]` for a track that is done, `[~]` for one that has begun."""
        for part in self.taken:
            state = self._state_of(part)
            for path in control_files(part.plan):
                before = self._list(path)
                if before is None:
                    continue
                after = track_list.mark(before, part.track, self._listed(path), state)
                if after != before:
                    done = "complete" if state is TaskState.DONE else "in progress"
                    self._commit(
                        self.wiring.repository.replace(self.tree, path, after),
                        f"conductor(plan): Mark track '{part.title}' as {done}",
                        self.state.applied_at[len(self.taken) - 1],
                    )

    def listing(self) -> bytes:
        """What was taken in, for people."""
        lines = [f"- [x] {part.track}: {part.title}" for part in self.taken]
        return "\n".join(["# Tracks", "", *lines, ""]).encode()

    def _list(self, path: str) -> bytes | None:
        is_list = basename(path) == track_list.NAME
        return self.wiring.repository.read(self.tree, path) if is_list else None

    def _listed(self, path: str) -> list[str]:
        """Every track whose entry could stand in the list at `path`."""
        return [p.track for p in self.request.parts if path in control_files(p.plan)]

    def _state_of(self, part: Part) -> TaskState:
        data = self._read_result(part)
        states = (
            {t.state for t in formats.parse(data, part.plan).tasks} if data else set[TaskState]()
        )
        return TaskState.DONE if states <= FINISHED else TaskState.IN_PROGRESS

    def _read_result(self, part: Part) -> bytes | None:
        tree = self.wiring.repository.tree_of(part.tip)
        return self.wiring.repository.read(tree, part.plan)

    def _commit(self, tree: str, message: str, when: datetime, *merged: str) -> None:
        author = self.request.author
        self.tree = tree
        self.tip = self.wiring.repository.commit(tree, self.tip, message, when, author, merged)
