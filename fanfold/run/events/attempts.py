"""The events of an attempt's stream, past tense, money in micro-dollars."""

from __future__ import annotations

from fanfold.run.access import Operation, Refusal
from fanfold.run.attempt import Exit, Usage
from fanfold.run.circles import Circles
from fanfold.run.events.record import EventData
from fanfold.run.incidents import IncidentKind


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
    """One call and the decision about it; `subject` is its path or command, redacted and cut.

    A denial names the rule that it comes from.
    """

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
    refusal: Refusal | None = None


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


class AccessDecided(EventData, frozen=True):
    """A secret that was asked for, by name, or a host that a command reached; and `by` whom."""

    operation: Operation
    subject: str
    by: str
    allowed: bool
    why: str = ""
    refusal: Refusal | None = None


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
