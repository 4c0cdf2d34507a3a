"""The run as its events tell it: what `evolve` folds and `decide` reads. Money in micro-dollars."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from fanfold.run.attempt import CheckResult, Exit, Metrics, Purpose
from fanfold.run.circles import Circles
from fanfold.run.events import (
    Applied,
    AttemptDispatched,
    CheckSpec,
    PlanWrittenBack,
    RunLimits,
    RunOptions,
    TaskSpec,
    UnitSpec,
)


class UnitStatus(StrEnum):
    """Where a unit stands; `patched` has a patch that is not merged yet."""

    OPEN = "open"
    RUNNING = "running"
    PATCHED = "patched"
    MERGED = "merged"
    DONE = "done"
    WAITING = "waiting"
    CONFLICTED = "conflicted"
    REJECTED = "rejected"
    FAILED = "failed"
    SKIPPED = "skipped"


LONG_CHECKS_S = 240.0
PASSED = frozenset({UnitStatus.MERGED, UnitStatus.DONE})
LOST = frozenset(
    {UnitStatus.CONFLICTED, UnitStatus.REJECTED, UnitStatus.FAILED, UnitStatus.SKIPPED}
)


class Outcome(StrEnum):
    """How a run ended, or that it waits for a person."""

    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    WAITING = "waiting"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Try(msgspec.Struct, frozen=True, gc=False):
    """One attempt of a unit; `outcome` is None while it is in flight."""

    dispatched: AttemptDispatched
    outcome: Exit | None = None
    cost: int = 0
    tree: str = ""
    epoch: int = 0
    patch: str | None = None
    choice: str | None = None
    detail: str = ""
    denied_hosts: tuple[str, ...] = ()
    metrics: Metrics = Metrics()
    circles: Circles = Circles()
    unsure: int = 0

    @property
    def attempt(self) -> str:
        return self.dispatched.attempt

    @property
    def purpose(self) -> Purpose:
        return self.dispatched.purpose


class UnitState(msgspec.Struct, frozen=True, gc=False):
    """A unit with its tries; `purpose`, `continues`, `hint` and `failures` shape the next one.

    `carrier` is the attempt whose patch stands for the unit; `blamed` are the checks that the last
    patch taken out again turned red. The latest round is `tries[since:]`.
    A person has passed judgement on `tries[:pardoned]`.
    A `reviewed` unit's patch is not shown to a reviewer again.
    A `revoked` unit is running on a tree that was taken back: it starts anew once it has landed.
    """

    spec: UnitSpec
    status: UnitStatus = UnitStatus.OPEN
    tries: tuple[Try, ...] = ()
    purpose: Purpose = Purpose.WORK
    failures: int = 0
    repaired: bool = False
    blamed: tuple[CheckResult, ...] = ()
    cleared: str | None = None
    pardoned: int = 0
    escalated: bool = False
    reviewed: bool = False
    continues: str | None = None
    hint: str = ""
    carrier: str | None = None
    reason: str | None = None
    since: int = 0
    conflict_paths: tuple[str, ...] = ()
    revoked: bool = False
    model: str = ""

    @property
    def in_flight(self) -> tuple[Try, ...]:
        return tuple(t for t in self.tries if t.outcome is None)

    @property
    def offered(self) -> tuple[Try, ...]:
        """The candidates of the latest round that an arbiter can choose from."""
        return tuple(
            t
            for t in self.tries[self.since :]
            if t.purpose is Purpose.CANDIDATE and t.outcome is Exit.SUBMITTED
        )

    def try_of(self, attempt: str) -> Try:
        return next(t for t in self.tries if t.attempt == attempt)

    def anew(self) -> UnitState:
        """The unit as if it had never been tried; its tries, hint and one repair stay counted."""
        return replace(
            self,
            status=UnitStatus.OPEN,
            purpose=Purpose.WORK,
            carrier=None,
            continues=None,
            reason=None,
            failures=0,
            revoked=False,
        )


class GateState(msgspec.Struct, frozen=True):
    """A gate that was put before a person: judge `from_tree`..`tree`, as `patch` shows it."""

    tree: str
    from_tree: str
    state: str = "waiting"
    reason: str = ""
    patch: str = ""
    files: int = 0
    added: int = 0
    removed: int = 0


class Checkpoint(msgspec.Struct, frozen=True, gc=False):
    """A tree that may be fallen back to.

    The first `count` applied patches, checks as green as on the base.
    """

    count: int
    tree: str


class RunState(msgspec.Struct):
    """The fold of a run stream. Never changed in place by anybody but `evolve`.

    `results` are the last ones, of `results_tree`. `red_tree` was red `red_runs` times in a row
    without a blame. `held` units wait for the next verification. `landing`: an attempt of the
    wave has ended, so that nothing joins it any more.
    """

    run_id: str = ""
    version: int = 0
    plan: str = ""
    plan_sha256: str = ""
    base: str = ""
    requested_at: datetime | None = None
    updated_at: datetime | None = None
    admitted: bool = False
    rejected: str | None = None
    outcome: Outcome | None = None
    failure: str | None = None
    trouble: str = ""
    generation: int = 1
    options: RunOptions = RunOptions()
    limits: RunLimits = RunLimits(cap=0)
    checks: tuple[CheckSpec, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    control_files: tuple[str, ...] = ()
    units: dict[str, UnitState] = {}
    dependents: dict[str, tuple[str, ...]] = {}
    base_tree: str = ""
    tree: str = ""
    applied: list[Applied] = []
    applied_at: list[datetime] = []
    checkpoints: list[Checkpoint] = []
    baseline: tuple[CheckResult, ...] | None = None
    results: tuple[CheckResult, ...] = ()
    results_tree: str | None = None
    verified_tree: str | None = None
    red_tree: str | None = None
    red_runs: int = 0
    held: tuple[str, ...] = ()
    landing: bool = False
    merges: int = 0
    verifications: int = 0
    gates: dict[str, GateState] = {}
    cap: int = 0
    spent: int = 0
    reserved: int = 0
    warned: bool = False
    cancelled: bool = False
    written: PlanWrittenBack | None = None
    dropped_paths: tuple[str, ...] = ()

    @property
    def available(self) -> int:
        """What a new slice may still take."""
        return self.cap - self.spent - self.reserved

    @property
    def checkpoint(self) -> Checkpoint:
        """The last tree known to be as green as the base."""
        return self.checkpoints[-1]

    @property
    def needs_verification(self) -> bool:
        return bool(self.checks) and self.tree != self.verified_tree

    @property
    def kept(self) -> tuple[Applied, ...]:
        """The applied patches that a result may hold: all, or those up to the last green tree."""
        count = self.checkpoint.count if self.needs_verification else len(self.applied)
        return tuple(self.applied[:count])

    @property
    def kept_tree(self) -> str:
        return self.checkpoint.tree if self.needs_verification else self.tree

    @property
    def verified(self) -> bool:
        """Whether there are required checks and all of them are green on the tree that is kept."""
        required = [r for r in self.results if r.required]
        own = self.results_tree == self.kept_tree
        return own and bool(required) and all(r.ok for r in required)

    @property
    def red(self) -> bool:
        """Whether a required check that the base had passed is red on the run's tree."""
        worse = any(r.required and not r.ok and r.baseline_ok is not False for r in self.results)
        return worse and self.results_tree == self.tree

    @property
    def pauses_long(self) -> bool:
        """Whether more attempts come after this wave, and the checks before them take minutes."""
        more = any(u.status is UnitStatus.OPEN for u in self.units.values())
        checked = self.results or self.baseline or ()
        return more and sum(result.duration_s for result in checked) > LONG_CHECKS_S

    def passes(self, unit: str) -> bool:
        """Whether what needs `unit` may start; a deferred gate stops nobody."""
        spec, status = self.units[unit].spec, self.units[unit].status
        deferred = spec.kind == "gate" and self.options.gates == "defer"
        return status in PASSED or (status is UnitStatus.WAITING and deferred)

    def unblocked(self, unit: UnitState) -> bool:
        return all(self.passes(n) for n in unit.spec.needs)

    def ready(self, unit: UnitState) -> bool:
        return unit.status is UnitStatus.OPEN and self.unblocked(unit)
