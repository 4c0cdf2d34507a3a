"""What goes into an attempt and what comes out: the bundle, its limits, usage and report."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec

from fanfold.run.circles import Circles
from fanfold.run.decoders import learn
from fanfold.run.incidents import Incident


class Purpose(StrEnum):
    """Why an attempt was dispatched."""

    WORK = "work"
    CANDIDATE = "candidate"
    PICK = "pick"
    RESOLVE = "resolve"
    REPAIR = "repair"
    REVIEW = "review"


JUDGING = frozenset({Purpose.PICK, Purpose.REVIEW})
ACCEPT, SEND_BACK = "accept", "send_back"


class Exit(StrEnum):
    """How an attempt ended; each is also a reason code."""

    SUBMITTED = "submitted"
    PICKED = "picked"
    BLOCKED = "blocked"
    GAVE_UP = "gave_up"
    NO_SUBMIT = "no_submit"
    STUCK = "stuck"
    BUDGET = "budget"
    STEPS = "steps"
    TIMEOUT = "timeout"
    ESCALATE = "escalate"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    LOST = "lost"
    REFUSED = "refused"
    CONTEXT_FULL = "context_full"
    MODEL_UNAVAILABLE = "model_unavailable"
    MODEL_DENIED = "model_denied"
    MODEL_REJECTED = "model_rejected"
    CRASHED = "crashed"


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one model call, or a sum of calls.

    By usage class (each token is in exactly one class).
    """

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_write_5m + other.cache_write_5m,
            self.cache_write_1h + other.cache_write_1h,
            self.cache_read + other.cache_read,
        )

    @property
    def context(self) -> int:
        """Tokens that the request put before the model."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read


class Metrics(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an attempt took, counted from its events; sums of attempts are those of a run.

    `steps` are replies of the model, `retries` calls of it that failed; `repeats` are tool calls
    that were made again with the same result, `nudges` what the model was told of them.
    """

    steps: int = 0
    retries: int = 0
    tool_calls: int = 0
    tool_errors: int = 0
    denied: int = 0
    repeats: int = 0
    nudges: int = 0
    compactions: int = 0
    usage: Usage = Usage()

    def __add__(self, other: Metrics) -> Metrics:
        names = self.__struct_fields__
        return Metrics(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def cache_share(self) -> float:
        """Of the input tokens, what came from the cache: 0 to 1."""
        return self.usage.cache_read / self.usage.context if self.usage.context else 0.0

    @property
    def tokens_a_step(self) -> int:
        """Of output."""
        return self.usage.output // self.steps if self.steps else 0


class AttemptLimits(msgspec.Struct, frozen=True):
    """Hard bounds of one attempt; `slice` in micro-dollars."""

    slice: int
    steps: int = 100
    minutes: float = 60.0
    command_s: float = 60.0
    max_file_bytes: int = 5_000_000


class RoleRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a project changes of a role, `[roles]`; what is None or empty stays the role's own.

    `operations` bound its tools; `reads` and `writes` are globs of what it may read and write,
    `network` the hosts that its commands may reach. `agent` names a file of `.claude/agents` that
    describes it, where that is not the role's own name.
    """

    tools: tuple[Literal["read", "write", "edit", "glob", "grep", "bash"], ...] | None = None
    operations: tuple[Literal["read", "write", "run"], ...] | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None
    model: str = ""
    effort: str = ""
    network: tuple[str, ...] | None = None
    agent: str = ""


class FinishedTask(msgspec.Struct, frozen=True):
    """A task of a unit that was finished before the others, with the attempt's tree of then.

    `patch` is the key of the diff from `base_tree` to `tree`, and `sha256` its digest.
    """

    task: str
    tree: str
    base_tree: str = ""
    patch: str = ""
    sha256: str = ""


class TaskText(msgspec.Struct, frozen=True):
    """A task as the model reads it; `text` is the plan's own Markdown with sub-tasks and notes."""

    id: str
    title: str
    text: str = ""


class Predecessor(msgspec.Struct, frozen=True):
    """A merged unit whose result this attempt builds on."""

    unit: str
    title: str
    summary: str
    files: tuple[str, ...] = ()


class ConflictFile(msgspec.Struct, frozen=True):
    """A conflicted path with its three sides (None.

    The side has no such file) and a diff3 rendering.
    """

    path: str
    base: str | None
    ours: str | None
    theirs: str | None
    rendering: str = ""


class Candidate(msgspec.Struct, frozen=True):
    """One of several patches among which the arbiter picks; who wrote it is never told."""

    attempt: str
    patch: str
    summary: str
    checks: str = ""


class FailedCheck(msgspec.Struct, frozen=True):
    """A red check and the end of its output."""

    command: str
    output: str


class Context(msgspec.Struct, frozen=True):
    """The context bundle: all that an attempt is given (`context.json`).

    `hosts` are what its commands may reach, `role_file` the path and text of the project's own
    description of the role.
    """

    run_id: str
    attempt: str
    unit: str
    role: str
    purpose: Purpose
    base_tree: str
    tasks: tuple[TaskText, ...]
    limits: AttemptLimits
    model: str
    effort: str | None = None
    plan_title: str = ""
    plan_path: str = ""
    outline: tuple[str, ...] = ()
    spec: str = ""
    instructions: tuple[tuple[str, str], ...] = ()
    constraints: tuple[str, ...] = ()
    lasting: bool = False
    circles: Circles = Circles()
    checks: tuple[str, ...] = ()
    writes: tuple[str, ...] | None = None
    control_files: tuple[str, ...] = ()
    context_deny: tuple[str, ...] = ()
    predecessors: tuple[Predecessor, ...] = ()
    continues_tree: str | None = None
    hint: str = ""
    conflicts: tuple[ConflictFile, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    failed_checks: tuple[FailedCheck, ...] = ()
    shell: bool = False
    rules: RoleRules = RoleRules()
    finished: tuple[FinishedTask, ...] = ()
    hosts: tuple[str, ...] = ()
    role_file: tuple[str, str] | None = None
    prepare: tuple[str, ...] = ()


class CheckResult(msgspec.Struct, frozen=True):
    """One run of one check on one tree; `baseline_ok` is None until the base was checked."""

    command: str
    ok: bool
    required: bool = True
    baseline_ok: bool | None = None
    exit_code: int = 0
    duration_s: float = 0.0
    flaky: bool = False
    output_tail: str = ""
    incidents: tuple[Incident, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """What the harness says of an ended attempt (`report.json`); cost in micro-dollars."""

    attempt: str
    unit: str
    exit: Exit
    status: str
    summary: str = ""
    confidence: str = ""
    detail: str = ""
    files: tuple[str, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    context_cuts: tuple[str, ...] = ()
    tree: str = ""
    choice: str | None = None
    usage: Usage = Usage()
    cost: int = 0
    steps: int = 0
    duration_s: float = 0.0
    finished: tuple[FinishedTask, ...] = ()
    metrics: Metrics = Metrics()


class ToolCall(msgspec.Struct, frozen=True):
    """A tool call as the model asked for it."""

    id: str
    name: str
    input: dict[str, Any]


learn(Context, Report, tuple[CheckResult, ...])
