"""The events of a run's stream, past tense, money in micro-dollars."""

from __future__ import annotations

import msgspec

from fanfold.run.attempt import CheckResult, Exit, Metrics, Purpose
from fanfold.run.circles import Circles
from fanfold.run.events.record import EventData
from fanfold.run.events.specs import CheckSpec, RunLimits, RunOptions, TaskSpec, UnitSpec


class RunRequested(EventData, frozen=True):
    run_id: str
    plan: str
    plan_sha256: str
    base: str
    options: RunOptions = RunOptions()


class RunQueued(EventData, frozen=True):
    reason: str


class RunRejected(EventData, frozen=True):
    reason: str


class RunAdmitted(EventData, frozen=True):
    """From here on the run can be decided: the graph, the money, the checks."""

    base_tree: str
    units: tuple[UnitSpec, ...]
    tasks: tuple[TaskSpec, ...]
    limits: RunLimits
    checks: tuple[CheckSpec, ...] = ()
    options: RunOptions = RunOptions()
    control_files: tuple[str, ...] = ()


class RunResumed(EventData, frozen=True):
    """A new generation drives the run; `cap` where it was raised.

    A `handover` is the same run in a new execution: nothing of it is tried again.
    """

    generation: int
    cap: int | None = None
    handover: bool = False


class AttemptDispatched(EventData, frozen=True):
    """Reserves `slice`. `base_tree` is the run's merged tree when the wave began."""

    attempt: str
    unit: str
    number: int
    role: str
    purpose: Purpose
    placement: str
    slice: int
    base_tree: str
    generation: int
    continues: str | None = None
    hint: str = ""
    delay_s: float = 0.0
    model: str = ""


class AttemptFinished(EventData, frozen=True):
    """Settles the slice with what was really spent. `tree` is the attempt's final tree.

    `unsure` is the part of the cost that calls without an answer are counted at, their worst case.
    """

    attempt: str
    unit: str
    outcome: Exit
    cost: int
    tree: str = ""
    epoch: int = 0
    patch: str | None = None
    choice: str | None = None
    detail: str = ""
    denied_hosts: tuple[str, ...] = ()
    metrics: Metrics = Metrics()
    circles: Circles = Circles()
    unsure: int = 0


class PatchGiven(EventData, frozen=True):
    """A patch that was made elsewhere stands as the unit's first attempt, at no cost."""

    attempt: str
    unit: str
    base_tree: str
    tree: str
    patch: str
    epoch: int = 1


class Applied(msgspec.Struct, frozen=True, gc=False):
    """A patch that is in the tree; `tree` is the run's tree right after it."""

    attempt: str
    unit: str
    tree: str
    resolved_by: str = "git"


class MergeCompleted(EventData, frozen=True):
    """One fold: `applied` in plan order.

    Everything else of the batch was rejected or conflicted before it.
    """

    seq: int
    base_tree: str
    tree: str
    applied: tuple[Applied, ...]
    dropped_paths: tuple[str, ...] = ()


class PatchRejected(EventData, frozen=True):
    attempt: str
    unit: str
    reason: str
    path: str | None = None


class PatchHeld(EventData, frozen=True, gc=False):
    """A patch that touches what only a person may let through; `approve` of the unit does."""

    attempt: str
    unit: str
    reason: str
    path: str | None = None


class ConflictFound(EventData, frozen=True):
    attempt: str
    unit: str
    paths: tuple[str, ...]
    tree: str


class VerificationPassed(EventData, frozen=True):
    """The checks are green on `tree`, or only as red as they were on the base."""

    seq: int
    tree: str
    checks: tuple[CheckResult, ...]
    baseline: bool = False


class VerificationFailed(EventData, frozen=True):
    seq: int
    tree: str
    checks: tuple[CheckResult, ...]
    baseline: bool = False


class PatchBlamed(EventData, frozen=True):
    """The first patch whose prefix is red; `good_tree` is the green tree right before it."""

    seq: int
    attempt: str
    unit: str
    good_tree: str
    checks: tuple[CheckResult, ...]
    runs: int = 0


class ApprovalRequested(EventData, frozen=True):
    """A person must look at `from_tree`..`tree`, which the artifact `patch` shows.

    It changes `files` and has so many lines `added` and `removed`.
    """

    gate: str
    tree: str
    from_tree: str
    patch: str = ""
    files: int = 0
    added: int = 0
    removed: int = 0


class ApprovalGranted(EventData, frozen=True):
    gate: str
    by: str = ""


class ApprovalDenied(EventData, frozen=True):
    gate: str
    reason: str
    by: str = ""


class RetryRequested(EventData, frozen=True):
    """A person wants another attempt of `unit`, told `hint`, by `model` where that is named."""

    unit: str
    hint: str = ""
    model: str = ""
    by: str = ""


class BudgetWarned(EventData, frozen=True):
    spent: int
    cap: int


class BudgetExhausted(EventData, frozen=True):
    """Nothing new can start: `units` were ready and could not be paid for."""

    spent: int
    cap: int
    units: tuple[str, ...] = ()


class CancelRequested(EventData, frozen=True):
    by: str = ""


class PlanWrittenBack(EventData, frozen=True):
    """The result as commits.

    `commits` maps task ids to commits on `branch`, `tree` is that of its tip.
    """

    branch: str
    tip: str
    tree: str
    merged_tree: str
    commits: dict[str, str]
    done: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()


class RunCompleted(EventData, frozen=True):
    verified: bool


class RunIncomplete(EventData, frozen=True):
    verified: bool


class RunFailed(EventData, frozen=True):
    reason: str
    verified: bool = False


class RunCancelled(EventData, frozen=True):
    verified: bool = False
