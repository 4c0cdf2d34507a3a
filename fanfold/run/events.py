"""The vocabulary.

Every event of a run stream and of an attempt stream, past tense, money in micro-dollars.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from fanfold.run.attempt import CheckResult, Exit, Metrics, Purpose, Usage
from fanfold.run.circles import Circles
from fanfold.run.decoders import learn
from fanfold.run.incidents import IncidentKind


class EventData(msgspec.Struct, frozen=True, gc=False):
    """Base of all event payloads; the event's type is the class name in snake_case."""

    @classmethod
    def event_type(cls) -> str:
        return _TYPES[cls]


class TaskSpec(msgspec.Struct, frozen=True, gc=False):
    """A task as admitted.

    `line` is the line of its mark, `done` is true where the plan had ticked it.
    """

    id: str
    title: str
    phase: str
    kind: str
    state: str
    line: int
    text: str = ""


class UnitSpec(msgspec.Struct, frozen=True, gc=False):
    """What one attempt works on. `kind` is work, check, bookkeeping or gate; `order` is plan order.

    `covers` are the units a gate judges: a reject reopens them.
    """

    id: str
    tasks: tuple[str, ...]
    needs: tuple[str, ...] = ()
    kind: str = "work"
    order: int = 0
    title: str = ""
    writes: tuple[str, ...] | None = None
    role: str = "implementer"
    covers: tuple[str, ...] = ()
    minutes: float = 5.0


class CheckSpec(msgspec.Struct, frozen=True):
    """A command that must exit 0 on the merged tree."""

    command: str
    required: bool = True
    timeout_s: float = 600.0


class RunLimits(msgspec.Struct, frozen=True):
    """Bounds of a run; money in micro-dollars.

    `attempts` counts tries of a unit that failed by themselves.
    """

    cap: int
    slice: int = 1_000_000
    concurrency: int = 8
    wave: int = 100
    attempts: int = 2
    steps: int = 100
    minutes: float = 60.0
    command_s: float = 60.0
    backoff_s: float = 2.0


class RunOptions(msgspec.Struct, frozen=True):
    """How the user asked for the run; `batch` is the one that it belongs to, if any.

    With `review` a reviewer looks at each patch before it is merged, and may send it back once.
    `shells` are the roles that have one, and `containers` whether there are any to run in: both are
    found at admission.
    """

    engine: str = "local"
    gates: str = "ask"
    candidates: int = 1
    model: str = ""
    unit: str = "auto"
    parallel: str = "declared"
    sandbox: bool = True
    only: tuple[str, ...] = ()
    batch: str = ""
    shells: tuple[str, ...] = ("arbiter", "implementer", "tester")
    containers: bool = True
    review: bool = False


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
    """Settles the slice with what was really spent. `tree` is the attempt's final tree."""

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


class AttemptClaimed(EventData, frozen=True):
    """`circles` are those of the attempt that broke off before, from which this one counts on."""

    epoch: int
    generation: int
    holder: str
    circles: Circles = Circles()


class ModelCallStarted(EventData, frozen=True):
    """Appended before the request is sent.

    Without its `model_called` the call counts as `worst_case`.
    """

    call: int
    model: str
    worst_case: int
    max_tokens: int


class ModelCalled(EventData, frozen=True):
    call: int
    message_id: str
    usage: Usage
    cost: int
    latency_ms: int
    stop_reason: str | None = None
    retries: int = 0
    error: str | None = None


class ToolCalled(EventData, frozen=True):
    """One call and the decision about it; `subject` is its path or command, redacted and cut."""

    name: str
    allowed: bool
    why: str
    arguments: str
    result: str
    ok: bool
    duration_ms: int
    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    subject: str = ""
    waiting: bool = False


class AccessGranted(EventData, frozen=True):
    """What the attempt may do from here on; all else is denied, keys and the project's git too.

    `source` is the project's file that narrows the role, if any; `reads` and `writes` are globs,
    None not bounded.
    """

    role: str
    tools: tuple[str, ...]
    operations: tuple[str, ...]
    source: str = ""
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None
    hosts: tuple[str, ...] = ()


class CommandContained(EventData, frozen=True):
    """What the sandbox kept a command of an attempt from, or ended it for."""

    kind: IncidentKind
    subject: str = ""


class LoopNudged(EventData, frozen=True):
    signal: str
    count: int


class LoopStopped(EventData, frozen=True):
    signal: str
    count: int


class ContextCompacted(EventData, frozen=True):
    """A summary replaced the conversation; sizes are estimated tokens of a request."""

    before: int
    after: int


class PatchProduced(EventData, frozen=True):
    key: str
    sha256: str
    tree: str
    paths: tuple[str, ...]


class AttemptEnded(EventData, frozen=True):
    outcome: Exit
    cost: int
    detail: str = ""
    choice: str | None = None


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


_TYPES: dict[type[EventData], str] = {}
BY_TYPE: dict[str, type[EventData]] = {}


def register(*kinds: type[EventData]) -> None:
    """Have these types of events read from logs; those of this module are."""
    for kind in kinds:
        _TYPES[kind] = _snake(kind.__name__)
        BY_TYPE[_TYPES[kind]] = kind
    learn(*kinds)


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a log, in the workspace's own vocabulary.

    `version` is gapless per stream, from 1.
    """

    event_id: str
    event_type: str
    timestamp: datetime
    project: str
    stream: str
    version: int
    schema: int = 1
    actor: str = "fanfold"
    data: dict[str, Any]


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A typed event with its place in the stream and its time; what the folds work on."""

    version: int
    timestamp: datetime
    data: EventData


def run_stream(run_id: str) -> str:
    return f"run/{run_id}"


def attempt_stream(run_id: str, attempt: str) -> str:
    return f"run/{run_id}/attempt/{attempt}"


def payload(data: EventData) -> dict[str, Any]:
    """The event's data as plain JSON values."""
    return msgspec.to_builtins(data)


def recorded(envelope: Envelope) -> Recorded | None:
    """The typed event.

    None for a type that this version does not know (a foreign event in a shared log).

    Raises `msgspec.ValidationError` where the data does not fit its type.
    """
    kind = BY_TYPE.get(envelope.event_type)
    if kind is None:
        return None
    return Recorded(envelope.version, envelope.timestamp, msgspec.convert(envelope.data, kind))


learn(Envelope)
register(*EventData.__subclasses__())
