"""Attempt: claim, run the subagent, leave its patch and report, and say that it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.agent.desk import Desk
from fanfold.agent.log import AttemptLog
from fanfold.agent.redaction import redacted, redacted_patch
from fanfold.agent.timing import Timing
from fanfold.errors import InvalidPatch, LeaseHeld, LeaseLost, StreamConflict
from fanfold.patch.read import read_patch
from fanfold.run.artifacts import attempt_file
from fanfold.run.attempt import Exit, FinishedTask
from fanfold.run.attempt_fold import fold_attempt
from fanfold.run.events import (
    AttemptClaimed,
    AttemptEnded,
    CancelRequested,
    PatchProduced,
    RunResumed,
    attempt_stream,
    recorded,
    run_stream,
)
from fanfold.run.outcome import carried_on
from fanfold.steps.context import build_context
from fanfold.steps.decide import lease_of, owner_of
from fanfold.steps.request import load_request
from fanfold.steps.unit_checks import UnitChecks

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.ports import Workspace
    from fanfold.run.attempt import Context, Report
    from fanfold.run.events import AttemptDispatched
    from fanfold.run.state import RunState
    from fanfold.steps.wiring import Wiring

LEASE_S = 1800.0
RENEW_S = 60.0
LOOK_S = 0.5


def attempt(
    state: RunState,
    dispatched: AttemptDispatched,
    wiring: Wiring,
    holder: str,
    stopping: Callable[[], bool],
    *,
    escalate_after_s: float | None = None,
) -> None:
    """Run one attempt to its end, unless somebody else has claimed it already.

    `state` is the run's as of its dispatch. `stopping` turns true when this process must end, after
    `escalate_after_s` seconds this place does, and another one goes on. What it leaves is in its
    stream and its artifacts; nothing is handed back.
    """
    run_id = state.run_id
    name = lease_of(run_id, dispatched.attempt)
    owner = owner_of(holder, dispatched.attempt)
    try:
        epoch = wiring.lease.acquire(name, owner, LEASE_S)
    except LeaseHeld:
        return
    try:
        log = AttemptLog.resume(wiring.events, attempt_stream(run_id, dispatched.attempt))
        if fold_attempt(log.read()).claimed:
            return
        circles = carried_on(state.units[dispatched.unit], dispatched)
        log.append(AttemptClaimed(epoch, dispatched.generation, holder, circles))
        _Attempt(state, dispatched, wiring, log, epoch).run(
            Claim(state, dispatched, wiring, owner, stopping), escalate_after_s
        )
    except (StreamConflict, LeaseLost):
        return
    finally:
        wiring.lease.release(name, owner)


def _paths(patch: bytes, report: Report) -> tuple[str, ...]:
    """The paths that the patch changes; where the gate will not read it, those the tools wrote."""
    try:
        return read_patch(patch).paths
    except InvalidPatch:
        return report.files


class Claim:
    """Whether the claim of an attempt still stands, looked at before every call and every write."""

    def __init__(
        self,
        state: RunState,
        dispatched: AttemptDispatched,
        wiring: Wiring,
        owner: str,
        stopping: Callable[[], bool],
    ) -> None:
        self._wiring, self._owner, self._stopping = wiring, owner, stopping
        self._lease = lease_of(state.run_id, dispatched.attempt)
        self._stream, self._version = run_stream(state.run_id), state.version
        self._generation = dispatched.generation
        self._verdict = Exit.CANCELLED if state.cancelled else None
        self._looked = self._renewed = wiring.clock.monotonic()

    def __call__(self) -> Exit | None:
        """None, or the exit to stop with. Raises `LeaseLost`."""
        if self._stopping():
            return Exit.INTERRUPTED
        now = self._wiring.clock.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._look()
        if now - self._renewed >= RENEW_S:
            self._renewed = now
            self._wiring.lease.renew(self._lease, self._owner, LEASE_S)
        return self._verdict

    def _look(self) -> None:
        for envelope in self._wiring.events.read(self._stream, self._version):
            self._version = envelope.version
            event = recorded(envelope)
            data = event.data if event else None
            if isinstance(data, CancelRequested):
                self._verdict = Exit.CANCELLED
            elif isinstance(data, RunResumed) and data.generation > self._generation:
                raise LeaseLost(f"generation {data.generation} drives the run now")


class _Attempt:
    """A claimed attempt."""

    def __init__(
        self,
        state: RunState,
        dispatched: AttemptDispatched,
        wiring: Wiring,
        log: AttemptLog,
        epoch: int,
    ) -> None:
        self.state, self.dispatched, self.wiring = state, dispatched, wiring
        self.log, self.epoch = log, epoch
        self.lines: list[dict[str, Any]] = []

    def run(self, claim: Claim, escalate_after_s: float | None) -> None:
        context = build_context(self.state, self.dispatched, self.wiring)
        told = redacted(context, self.wiring.secrets.redact)
        self._put("context.json", msgspec.json.encode(told))
        self.log.append(*self.wiring.secret_reads)
        workspace = self.wiring.workspaces.open(
            context.continues_tree or context.base_tree,
            shell=context.shell,
            name=self.dispatched.attempt,
            hide=context.context_deny,
            hosts=context.hosts,
        )
        try:
            report = self.wiring.agent(
                context,
                Desk(
                    events=self.log,
                    workspace=workspace,
                    model=self.wiring.models(context),
                    prices=self.wiring.prices,
                    clock=self.wiring.clock,
                    secrets=self.wiring.secrets,
                    keep_going=claim,
                    transcript=self.lines.append,
                    check=self._unit_checks(context, workspace, claim, escalate_after_s),
                    escalate_after_s=escalate_after_s,
                    warmth=self.wiring.warmth,
                ),
            )
        finally:
            workspace.close()
        if report.exit is not Exit.LOST:
            self._leave(context, report)

    def _leave(self, context: Context, report: Report) -> None:
        """Patch, report and transcript first, then the events that speak of them."""
        tree = report.tree or context.base_tree
        patch = self._redacted(self.wiring.repository.diff(context.base_tree, tree))
        paths = _paths(patch, report)
        digest = self._put("patch.diff", patch)
        told = msgspec.structs.replace(report, files=paths, finished=self._finished(report))
        self._put("report.json", msgspec.json.encode(told))
        self._put("transcript.jsonl", b"".join(msgspec.json.encode(e) + b"\n" for e in self.lines))
        produced = PatchProduced(self._key("patch.diff"), digest, tree, paths)
        ended = AttemptEnded(report.exit, report.cost, report.detail, report.choice)
        self.log.append(produced, ended)

    def _finished(self, report: Report) -> tuple[FinishedTask, ...]:
        """Those of this attempt with their patches; an earlier one's have theirs already."""
        return tuple(
            each if each.patch else self._with_patch(each, f"patch.{number}.diff")
            for number, each in enumerate(report.finished, 1)
        )

    def _with_patch(self, each: FinishedTask, name: str) -> FinishedTask:
        patch = self._redacted(self.wiring.repository.diff(each.base_tree, each.tree))
        digest = self._put(name, patch)
        return msgspec.structs.replace(each, patch=self._key(name), sha256=digest)

    def _redacted(self, patch: bytes) -> bytes:
        """What adds a secret loses it here; the gate refuses what is left."""
        return redacted_patch(patch, self.wiring.secrets)

    def _unit_checks(
        self, context: Context, workspace: Workspace, claim: Claim, escalate_after_s: float | None
    ) -> UnitChecks | None:
        checks = load_request(self.wiring.artifacts, self.state.run_id).unit_checks
        if not checks:
            return None
        timing = Timing(self.wiring.clock, context.limits.minutes, escalate_after_s)
        return UnitChecks(checks, context, workspace, self.wiring, claim, timing)

    def _key(self, name: str) -> str:
        return attempt_file(self.state.run_id, self.dispatched.attempt, self.epoch, name)

    def _put(self, name: str, data: bytes) -> str:
        return self.wiring.artifacts.put(self._key(name), data)
