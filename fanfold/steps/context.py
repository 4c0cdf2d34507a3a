"""Builds the context bundle of an attempt from the log, the plan and the base tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.agent.gather import LARGEST, gather
from fanfold.agent.roles import AGENTS, load_role, narrowed_hosts, project_role, ruled
from fanfold.errors import ArtifactMissing
from fanfold.plan import formats
from fanfold.run.artifacts import attempt_file, merge_file
from fanfold.run.attempt import (
    JUDGING,
    AttemptLimits,
    Candidate,
    Context,
    FailedCheck,
    FinishedTask,
    Predecessor,
    Purpose,
    Report,
    TaskText,
)
from fanfold.run.outcome import carried_on
from fanfold.run.state import LOST, PASSED, UnitStatus
from fanfold.steps.merge import MergeRecord
from fanfold.steps.request import load_plan, load_request
from fanfold.steps.starting_tree import carried_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanfold.agent.roles import Role
    from fanfold.plan.model import Plan
    from fanfold.run.attempt import ConflictFile, RoleRules
    from fanfold.run.events import AttemptDispatched
    from fanfold.run.state import RunState, Try, UnitState
    from fanfold.steps.request import Request
    from fanfold.steps.wiring import Wiring


def find_role(read: Callable[[str], bytes | None], name: str) -> tuple[str, str] | None:
    """The project's own file of that role, with its text; one without front matter is none."""
    path = f"{AGENTS}/{name}.md"
    data = read(path) or b""
    text = data[:LARGEST].decode("utf-8", "replace")
    return (path, text) if text.startswith("---\n") and "\n---" in text[3:] else None


def _role(name: str, role_file: tuple[str, str] | None, rules: RoleRules) -> Role:
    role = load_role(name)
    return ruled(project_role(role, role_file[1]) if role_file else role, rules)


def build_context(state: RunState, dispatched: AttemptDispatched, wiring: Wiring) -> Context:
    """The bundle of one attempt, all of it from the log, the plan and the base tree."""
    return _Builder(state, dispatched, wiring).build()


class _Builder:
    def __init__(self, state: RunState, dispatched: AttemptDispatched, wiring: Wiring) -> None:
        self.state, self.dispatched, self.wiring = state, dispatched, wiring
        self.request: Request = load_request(wiring.artifacts, state.run_id)
        self.unit: UnitState = state.units[dispatched.unit]
        data = load_plan(wiring.artifacts, self.request)
        self.plan: Plan = formats.parse(data, self.request.plan_path)

    def build(self) -> Context:
        dispatched, limits = self.dispatched, self.state.limits
        tasks = {t.id: t for t in self.plan.tasks}
        own = [tasks[t] for t in self.unit.spec.tasks]
        conflicts = self._conflicts()
        start = self._start(conflicts)
        rules = self.request.rules_for(dispatched.role)
        role_file = find_role(self._text, rules.agent or dispatched.role)
        hosts = self.request.hosts_for(dispatched.role)
        gathered = gather(
            self._text,
            self.plan,
            own,
            deny=self.request.context_deny,
            states=self._words(),
        )
        return Context(
            run_id=self.state.run_id,
            attempt=dispatched.attempt,
            unit=dispatched.unit,
            role=dispatched.role,
            purpose=dispatched.purpose,
            base_tree=dispatched.base_tree,
            tasks=tuple(TaskText(t.id, t.title, self.plan.text(t)) for t in own),
            limits=AttemptLimits(dispatched.slice, limits.steps, limits.minutes, limits.command_s),
            model=dispatched.model or self.request.model_for(dispatched.role),
            effort=self.request.effort_for(dispatched.role),
            plan_title=self.plan.title,
            plan_path=self.request.plan_path,
            outline=gathered.outline,
            spec=gathered.spec,
            instructions=gathered.instructions,
            prepare=self.request.prepare,
            checks=tuple(c.command for c in (*self.request.unit_checks, *self.request.checks)),
            writes=self.unit.spec.writes,
            control_files=self.state.control_files,
            context_deny=self.request.context_deny,
            lasting=self.state.pauses_long,
            circles=carried_on(self.unit, dispatched),
            predecessors=self._predecessors(),
            continues_tree=start,
            hint=dispatched.hint,
            conflicts=conflicts,
            candidates=self._candidates(),
            failed_checks=self._failed_checks(),
            shell=self.wiring.has_shell and _role(dispatched.role, role_file, rules).has_shell,
            rules=rules,
            hosts=narrowed_hosts(role_file[1], hosts) if role_file else hosts,
            role_file=role_file,
            finished=self._finished() if start else (),
        )

    def _text(self, path: str) -> bytes | None:
        return self.wiring.repository.read(self.dispatched.base_tree, path)

    def _words(self) -> dict[str, str]:
        """How the plan's other tasks ended; what is under way may differ in a replay."""
        moved = (u for u in self.state.units.values() if u.status in PASSED | LOST)
        return {task: u.status.value for u in moved for task in u.spec.tasks}

    def _finished(self) -> tuple[FinishedTask, ...]:
        """What the attempt that this one goes on from had finished."""
        earlier = self._earlier()
        report = self._report(earlier) if earlier else None
        return report.finished if report else ()

    def _earlier(self) -> Try | None:
        if self.dispatched.continues is None:
            return None
        return self.unit.try_of(self.dispatched.continues)

    def _start(self, conflicts: tuple[ConflictFile, ...]) -> str | None:
        earlier = self._earlier()
        if earlier is None or earlier.patch is None:
            return None
        return carried_over(
            self.wiring.repository,
            self.dispatched.base_tree,
            self._artifact(earlier, "patch.diff", earlier.patch),
            earlier.dispatched.base_tree,
            leave_out={c.path for c in conflicts},
        )

    def _conflicts(self) -> tuple[ConflictFile, ...]:
        """From the last fold in which the patch to resolve conflicted."""
        if self.dispatched.purpose is not Purpose.RESOLVE:
            return ()
        lineage = set(self._lineage())
        for seq in range(self.state.merges, 0, -1):
            key = merge_file(self.state.run_id, seq, "json")
            record = msgspec.json.decode(self.wiring.artifacts.get(key), type=MergeRecord)
            found = lineage & record.conflicts.keys()
            if found:
                return record.conflicts[found.pop()]
        return ()

    def _lineage(self) -> Iterator[str]:
        """The attempts that this one goes on from, the nearest first."""
        earlier = self.dispatched.continues
        while earlier is not None:
            yield earlier
            earlier = self.unit.try_of(earlier).dispatched.continues

    def _candidates(self) -> tuple[Candidate, ...]:
        if self.dispatched.purpose not in JUDGING:
            return ()
        earlier = self._earlier()
        reviewed = (earlier,) if earlier else ()
        candidates = (t for t in self.unit.tries if t.purpose is Purpose.CANDIDATE and t.patch)
        offered = candidates if self.dispatched.purpose is Purpose.PICK else reviewed
        return tuple(
            Candidate(
                t.attempt,
                self._artifact(t, "patch.diff", t.patch).decode("utf-8", "replace"),
                report.summary,
                "\n".join(f"{'green' if c.ok else 'red'}: {c.command}" for c in report.checks),
            )
            for t in offered
            if (report := self._report(t)) is not None
        )

    def _failed_checks(self) -> tuple[FailedCheck, ...]:
        if self.dispatched.purpose is not Purpose.REPAIR:
            return ()
        red = [c for c in self.unit.blamed if not c.ok]
        return tuple(FailedCheck(c.command, c.output_tail) for c in red)

    def _predecessors(self) -> tuple[Predecessor, ...]:
        """What this unit builds on: the merged units that it needs."""
        merged = (self.state.units[n] for n in self.unit.spec.needs)
        return tuple(
            Predecessor(u.spec.id, u.spec.title, report.summary, report.files)
            for u in merged
            if u.status is UnitStatus.MERGED
            and u.carrier
            and (report := self._report(u.try_of(u.carrier))) is not None
        )

    def _report(self, tried: Try) -> Report | None:
        try:
            data = self._artifact(tried, "report.json")
        except ArtifactMissing:
            return None
        return msgspec.json.decode(data, type=Report)

    def _artifact(self, tried: Try, name: str, sha256: str | None = None) -> bytes:
        key = attempt_file(self.state.run_id, tried.attempt, tried.epoch, name)
        return self.wiring.artifacts.get(key, sha256)
