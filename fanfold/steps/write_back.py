"""Write back.

The kept patches as commits on the run's branch, then the plan's marks in commits of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from fanfold.plan import formats
from fanfold.plan.model import FINISHED, Mark, TaskState
from fanfold.plan.reconcile import reconcile
from fanfold.plan.write_back import confirm, draft
from fanfold.run.artifacts import attempt_file, result_file
from fanfold.run.attempt import Report
from fanfold.run.decide import done_units
from fanfold.run.events import PlanWrittenBack
from fanfold.run.money import dollars
from fanfold.steps.request import load_plan, load_request
from fanfold.steps.result_branch import move_branch
from fanfold.steps.task_trees import task_trees
from fanfold.steps.write_back_tracks import write_back_tracks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fanfold.plan.model import Phase, Plan
    from fanfold.run.events import Applied
    from fanfold.run.state import RunState
    from fanfold.run.steps import WriteBack
    from fanfold.steps.journal import Journal
    from fanfold.steps.request import Request
    from fanfold.steps.wiring import Wiring

SHORT = 7


def branch_of(run_id: str) -> str:
    """The branch that holds a run's result."""
    return f"fanfold/{run_id}"


def write_back(journal: Journal, step: WriteBack, wiring: Wiring) -> None:
    """Build the branch anew from the base, move it, and append `plan_written_back`.

    Dates come from the events, so the same log gives the same commits.
    """
    request = load_request(wiring.artifacts, journal.run_id)
    if request.parts:
        write_back_tracks(journal, step, request, wiring)
        return
    writer = _Writer(journal.state, request, wiring)
    writer.commit_work()
    writer.commit_plan()
    branch = branch_of(journal.run_id)
    move_branch(wiring.repository, branch, writer.tip)
    wiring.artifacts.put(result_file(journal.run_id, "plan.md"), writer.plan.data)
    journal.append(
        PlanWrittenBack(
            branch=branch,
            tip=writer.tip,
            tree=writer.tree,
            merged_tree=step.tree,
            commits=writer.commits,
            done=done_units(journal.state),
            changed=writer.changed,
            vanished=writer.vanished,
        )
    )


@dataclass
class _Marked:
    """The plan with the marks made so far; each rewrite starts from the plan as it was."""

    before: Plan
    is_tracked: bool
    marks: list[Mark] = field(default_factory=list[Mark])
    checkpoints: dict[str, str] = field(default_factory=dict[str, str])
    data: bytes = b""

    def __post_init__(self) -> None:
        self.data = self.before.data

    def rewrite(self) -> bytes:
        self.data = draft(self.before, self.marks, self.checkpoints)
        return self.data

    def confirm(self) -> None:
        """Once for all rewrites. Raises `InvalidPlan`."""
        confirm(self.before, self.data, self.marks, self.checkpoints)


@dataclass
class _Writer:
    """The branch while it grows from the base."""

    state: RunState
    request: Request
    wiring: Wiring
    tip: str = ""
    tree: str = ""
    commits: dict[str, str] = field(default_factory=dict[str, str])
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    plan: _Marked = field(init=False)

    def __post_init__(self) -> None:
        self.tip, self.tree = self.request.base, self.request.base_tree
        data = load_plan(self.wiring.artifacts, self.request)
        self.then = formats.parse(data, self.request.plan_path)
        self.titles = {task.id: task.title for task in self.then.tasks}

    @property
    def _start(self) -> datetime:
        if self.state.requested_at is None:
            raise ValueError("a run without its request cannot be written back")
        return self.state.requested_at

    @property
    def _end(self) -> datetime:
        kept = len(self.state.kept)
        return self.state.applied_at[kept - 1] if kept else self._start

    def commit_work(self) -> None:
        """Commits in the order in which the patches were merged, one a task where trees tell."""
        for entry, when in zip(self.state.kept, self.state.applied_at, strict=False):
            self._commit_unit(entry, when)

    def _commit_unit(self, entry: Applied, when: datetime) -> None:
        """What was finished earlier goes first; the last commit holds all the rest of the patch."""
        unit, report = self.state.units[entry.unit], self._report(entry)
        left = list(unit.spec.tasks)
        for task, tree in task_trees(unit, report, self.tree, self.request, self.wiring):
            title = self.titles[task]
            commit = self._commit(tree, self._message(entry, title, [task]), when)
            self._note(commit, _part_note(title, unit.spec.title), when)
            self.commits[task] = commit
            left.remove(task)
        title = "; ".join(self.titles[task] for task in left)
        cost = dollars(sum(t.cost for t in unit.tries))
        commit = self._commit(entry.tree, self._message(entry, title, left, cost), when)
        self._note(commit, _task_note(title, report), when)
        self.commits |= dict.fromkeys(left, commit)

    def commit_plan(self) -> None:
        """The marks, in Conductor's own message shapes; only marks, SHAs and checkpoints change."""
        tracked = self.wiring.repository.read(self.tree, self.request.plan_path)
        now = self.then if tracked is None else formats.parse(tracked, self.request.plan_path)
        matched = reconcile(self.then, now)
        self.changed, self.vanished = matched.changed, matched.vanished
        self.plan = _Marked(now, is_tracked=tracked is not None)
        done = [t for u in done_units(self.state) for t in self.state.units[u].spec.tasks]
        for task in done:
            if task in matched.mapping:
                self._mark(matched.mapping[task], self.commits.get(task))
        self._close_phases(now)
        self.plan.confirm()

    def _mark(self, task: str, commit: str | None) -> None:
        self.plan.marks.append(Mark(task, TaskState.DONE, commit[:SHORT] if commit else None))
        title = next(t.title for t in self.plan.before.tasks if t.id == task)
        self._commit_plan(f"conductor(plan): Mark task '{title}' as complete")

    def _close_phases(self, before: Plan) -> None:
        """A phase that this run completed gets its checkpoint."""
        done = {m.task for m in self.plan.marks}
        unfinished = [t for t in before.tasks if t.state not in FINISHED]
        still_open = {t.phase for t in unfinished if t.id not in done}
        closed = {t.phase for t in unfinished} - still_open
        for phase in before.phases:
            if phase.id in closed and not phase.checkpoint and phase.heading:
                self._checkpoint(phase)

    def _checkpoint(self, phase: Phase) -> None:
        commit = self._commit(
            self.tree, f"conductor(checkpoint): Checkpoint end of Phase {phase.name}", self._end
        )
        self._note(commit, _phase_note(phase, self.state), self._end)
        self.plan.checkpoints[phase.id] = commit[:SHORT]
        self._commit_plan(f"conductor(plan): Mark phase '{phase.name}' as complete")

    def _commit_plan(self, message: str) -> None:
        before, after = self.plan.data, self.plan.rewrite()
        if before != after and self.plan.is_tracked:
            tree = self.wiring.repository.replace(self.tree, self.request.plan_path, after)
            self._commit(tree, message, self._end)

    def _commit(self, tree: str, message: str, when: datetime) -> str:
        """A commit on top of the tip.

        Its message gets a line more where its short name could be taken for a number or a word.
        """
        parent, author = self.tip, self.request.author
        gap = "" if message.endswith("\n") else "\n\n"
        self.tree = tree
        nonce = 0
        while True:
            line = f"{gap}Fanfold-Nonce: {nonce}\n" if nonce else ""
            self.tip = self.wiring.repository.commit(tree, parent, message + line, when, author)
            short = self.tip[:SHORT]
            if not short.isdigit() and not short.isalpha():
                return self.tip
            nonce += 1

    def _note(self, commit: str, text: str, when: datetime) -> None:
        self.wiring.repository.note(commit, text, when, self.request.author)

    def _report(self, entry: Applied) -> Report:
        tried = self.state.units[entry.unit].try_of(entry.attempt)
        key = attempt_file(self.request.run_id, entry.attempt, tried.epoch, "report.json")
        return msgspec.json.decode(self.wiring.artifacts.get(key), type=Report)

    def _message(
        self, entry: Applied, title: str, tasks: Iterable[str], cost: str | None = None
    ) -> str:
        trailers = [f"Fanfold-Run: {self.request.run_id}"]
        trailers += [f"Fanfold-Task: {task}" for task in tasks]
        trailers.append(f"Fanfold-Attempt: {entry.attempt}")
        trailers += [f"Fanfold-Cost: {cost}"] if cost is not None else []
        return f"{title}\n\n" + "\n".join(trailers) + "\n"


def _task_note(title: str, report: Report) -> str:
    files = "\n".join(f"- {f}" for f in report.files) or "- none"
    return f"Task: {title}\n\nSummary: {report.summary or 'none given'}\n\nFiles:\n{files}\n"


def _part_note(title: str, unit: str) -> str:
    return f"Task: {title}\n\nFinished on the way to: {unit}\n"


def _phase_note(phase: Phase, state: RunState) -> str:
    checks = "\n".join(f"- {'green' if r.ok else 'red'}: {r.command}" for r in state.results)
    gates = "\n".join(
        f"- {state.units[name].spec.title}: {gate.state}"
        for name, gate in state.gates.items()
        if set(state.units[name].spec.tasks) & set(phase.tasks)
    )
    return (
        f"Phase: {phase.name}\n\nChecks:\n{checks or '- none configured'}\n\n"
        f"Gates:\n{gates or '- none'}\n"
    )
