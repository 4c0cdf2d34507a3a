"""The ports: small Protocols between the core and the outside.

Adapters and fakes pass one suite per port.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from fanfold.run.attempt import Context, Usage
from fanfold.run.incidents import Incident

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import pygit2

    from fanfold.run.environment import Failure, Layer
    from fanfold.run.events import Envelope, EventData
    from fanfold.run.grant import Granted, IssuedKey, Request, SessionCredentials


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> datetime: ...  # aware, UTC
    def monotonic(self) -> float: ...  # seconds
    def sleep(self, seconds: float) -> None: ...


class EventStore(Protocol):
    """Append-only streams of envelopes with optimistic concurrency."""

    def append(
        self, stream: str, expected: int, events: Sequence[EventData], *, actor: str = "fanfold"
    ) -> list[Envelope]:
        """Append all `events` after version `expected` (0: the stream is new), in order.

        Raises `StreamConflict` when the stream is elsewhere; then nothing of it was appended.
        """
        ...

    def read(self, stream: str, after: int = 0) -> list[Envelope]:
        """The stream's events with a version above `after`, consistently.

        An unknown stream is empty.
        """
        ...

    def streams(self, prefix: str = "") -> list[str]:
        """Names of the streams that start with `prefix`, in order of first append."""
        ...


class ArtifactStore(Protocol):
    """Named blobs, written whole or not at all, checked against their SHA-256 on reading."""

    def put(self, key: str, data: bytes) -> str:
        """Write atomically, replacing; gives the SHA-256 in hex."""
        ...

    def get(self, key: str, sha256: str | None = None) -> bytes:
        """Raises `ArtifactMissing`, or `ArtifactCorrupt` when the digest differs."""
        ...

    def exists(self, key: str) -> bool: ...
    def list(self, prefix: str) -> list[str]: ...  # sorted
    def delete(self, prefix: str) -> int: ...  # how many went


class Lease(Protocol):
    """Exclusive, expiring ownership of a name. `holder` is unique a process and attempt."""

    def acquire(self, name: str, holder: str, ttl_s: float) -> int:
        """Gives the epoch: 1 for the first owner ever, one more for each later one.

        Raises `LeaseHeld` while another live holder has it. A holder whose process is gone has
        expired.
        """
        ...

    def renew(self, name: str, holder: str, ttl_s: float) -> None:
        """Raises `LeaseLost` when `holder` has it no longer."""
        ...

    def release(self, name: str, holder: str) -> None: ...  # no-op for others
    def holder(self, name: str) -> str | None: ...  # None: free or expired


class CommandResult(msgspec.Struct, frozen=True):
    """A finished command; `output` is stdout and stderr as they came, decoded with replacement.

    `stopped` was ended because its caller must end; `incidents` are what it was kept from.
    """

    exit_code: int
    output: str
    duration_s: float
    timed_out: bool = False
    stopped: bool = False
    incidents: tuple[Incident, ...] = ()


# Asked several times a second while a command runs: true ends it. What it raises goes through.
StopSignal = Callable[[], bool]


class Workspace(Protocol):
    """One attempt's files, over a base tree.

    Paths are relative, `/`-separated, checked by the policy before.
    """

    @property
    def has_shell(self) -> bool: ...
    # sorted paths of all files as they are now, ignored ones left out
    def files(self) -> list[str]: ...
    def read(self, path: str) -> bytes: ...  # WorkspaceError
    def write(self, path: str, data: bytes) -> None: ...  # WorkspaceError; keeps an executable bit
    # WorkspaceError without a shell
    def run(
        self, command: str, timeout_s: float, stop: StopSignal | None = None
    ) -> CommandResult: ...
    # writes the files as they are now as a git tree; TreeIncomplete where some cannot be
    def tree(self) -> str: ...
    def left_out(self) -> list[str]: ...  # what was written and `tree` ignores, sorted
    def close(self) -> None: ...


class Workspaces(Protocol):
    """Opens workspaces at a tree."""

    def open(
        self,
        tree: str,
        *,
        shell: bool,
        name: str,
        hide: Sequence[str] = (),
        hosts: Sequence[str] | None = None,
    ) -> Workspace:
        """Files that the globs `hide` match are not there, nor in its history; `tree` has them.

        Commands reach `hosts`, or those of the project's allow-list.
        """
        ...

    def close(self) -> None: ...  # removes what is left of all of them


class Sandbox(Protocol):
    """Contains a command: writes only below `root`, no network, nothing of the user's."""

    def run(
        self,
        command: str,
        root: str,
        timeout_s: float,
        *,
        stop: StopSignal | None = None,
        hosts: Sequence[str] | None = None,
    ) -> CommandResult:
        """Run `sh -c command` at `root`; `hosts` can be reached, by default the sandbox's own."""
        ...


class Checks(Protocol):
    """Runs commands on trees, where model-written code finds nothing to steal."""

    def run(
        self,
        tree: str,
        commands: Sequence[tuple[str, float]],
        *,
        hide: Sequence[str] = (),
        stop: StopSignal | None = None,
        so_far: Callable[[Sequence[CommandResult]], None] | None = None,
    ) -> list[CommandResult]:
        """Run each (command, timeout in seconds) in order on one fresh checkout of `tree`.

        Where they take several places, `so_far` hears of the results as each but the last ends.
        Files that the globs `hide` match are not there. Raises `SandboxUnavailable`, or `Stopped`.
        """
        ...


class Repository(Protocol):
    """Git objects and refs of the project; never its work tree or index."""

    @property
    def objects(self) -> pygit2.Repository: ...  # to read objects from, in the calling thread
    def store_pack(self, name: str, data: bytes, index: bytes) -> None: ...
    def keep(self, name: str, oid: str) -> None: ...  # holds an object against pruning
    def tree_of(self, commit: str) -> str: ...
    def diff(self, base_tree: str, tree: str) -> bytes: ...  # full-index, binary-safe, no renames
    def read(self, tree: str, path: str) -> bytes | None: ...
    def replace(self, tree: str, path: str, data: bytes) -> str: ...  # gives the new tree
    def commit(  # `merged` are further parents
        self,
        tree: str,
        parent: str,
        message: str,
        when: datetime,
        author: tuple[str, str],
        merged: Sequence[str] = (),
    ) -> str: ...
    def set_ref(self, name: str, commit: str) -> None: ...
    def note(self, commit: str, text: str, when: datetime, author: tuple[str, str]) -> None: ...


class ModelRequest(msgspec.Struct, frozen=True):
    """One Messages API call; blocks, tools and messages in the API's own JSON shapes."""

    model: str
    system: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    max_tokens: int
    effort: str | None = None


class ModelReply(msgspec.Struct, frozen=True):
    """A whole reply; `content` are the API's content blocks, unknown types included."""

    message_id: str
    content: list[dict[str, Any]]
    stop_reason: str
    usage: Usage
    model: str
    latency_ms: int = 0


class Model(Protocol):
    """One try of one call; retries are the agent's."""

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        """Raises `ModelUnavailable`, `StreamDropped`, `ModelDenied` or `ModelRejected`.

        A call that is not complete after `timeout_s` is dropped; so is one that is silent for too
        long, which each adapter knows for itself.
        """
        ...


ModelFactory = Callable[[Context], Model]


class Prices(Protocol):
    """What tokens cost, in whole micro-dollars, rounded up."""

    def cost(self, model: str, usage: Usage) -> int: ...  # UnpricedModel
    def worst_case(self, model: str, input_tokens: int, max_tokens: int) -> int: ...
    def room(self, model: str) -> int: ...  # tokens of input, up to a price step or the window
    def affordable_tokens(self, model: str, input_tokens: int, budget: int) -> int:
        """The largest `max_tokens` whose worst case fits `budget`; 0 when none does."""
        ...


class Finding(msgspec.Struct, frozen=True):
    """A secret that was detected; never holds the secret itself."""

    kind: str
    line: int


REDACTION = "«redacted:"


class SecretScanner(Protocol):
    def find(self, text: str) -> list[Finding]: ...
    def redact(self, text: str) -> str: ...  # «redacted:kind», line for line


class TakenSlot(Protocol):
    """A slot with its run, and the execution once there is one."""

    @property
    def run(self) -> str: ...
    @property
    def execution(self) -> str | None: ...


class Slots(Protocol):
    """How many runs execute at once. A claim without an execution expires."""

    def claim(self, run: str, ttl_s: float) -> int | None: ...  # None: all are taken
    def hold(self, run: str, execution: str) -> None: ...  # LeaseLost
    # with `execution`, only while that one holds it; whether one came free
    def release(self, run: str, execution: str | None = None) -> bool: ...
    def release_claim(self, run: str) -> bool: ...  # only while no execution holds it
    def taken(self) -> Sequence[TakenSlot]: ...


class Ending(StrEnum):
    """How an execution ended; one is aborted by somebody who stopped it from outside."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    ABORTED = "was aborted"


class Executions(Protocol):
    """Executions of the state machine: one a generation of a run."""

    def start(self, run_id: str, generation: int) -> str:
        """Start it, unless that was done before; gives its name in the cloud either way."""
        ...

    def name_of(self, run_id: str, generation: int) -> str: ...
    def is_over(self, execution: str) -> bool: ...
    def ending(self, execution: str) -> Ending | None: ...  # None while it runs
    def events(self, execution: str) -> int: ...  # how long its history is by now
    def go_on(self, token: str) -> bool: ...  # False: nothing waits for this token any more


class Callback(Protocol):
    """Who waits for a task to end, and gives up when it is silent for too long.

    False: nobody waits for this task any more.
    """

    def beat(self) -> bool: ...
    def succeed(self) -> bool: ...
    def fail(self, error: str, cause: str) -> bool: ...


class ClaimKeys(Protocol):
    """Keys that let one process each claim an attempt; only their digests are kept."""

    def draw(self, run_id: str, generation: int, attempts: Sequence[str]) -> dict[str, str]:
        """A new key for each attempt; keys drawn for it before stay as they are."""
        ...

    def find(self, run_id: str, attempt: str, key: str) -> IssuedKey: ...  # ClaimRefused
    def spend(self, run_id: str, attempt: str, key: str, by: str) -> None:
        """Bind the key to the digest `by`. Raises `ClaimRefused` when it is bound to another."""
        ...


class Sessions(Protocol):
    """Credentials that reach as far as one attempt."""

    def open(self, run_id: str, attempt: str, base: str) -> SessionCredentials:
        """Of the attempt of a run whose base is the commit `base`."""
        ...


class Grants(Protocol):
    """The one function that a worker may call."""

    def __call__(self, asked: Request) -> Granted:
        """Raises `ClaimRefused`, `AttemptOver`, `LeaseHeld` or `LeaseLost`."""
        ...


class Vault(Protocol):
    """The versions of a secret; each label is on one of them at most."""

    def version(self, secret: str, label: str) -> str | None: ...
    def value(self, secret: str, label: str) -> str | None: ...
    def put(self, secret: str, version: str, value: str, label: str) -> None: ...
    def move(self, secret: str, label: str, version: str | None) -> None: ...  # None: take it off


class NewsDesk(Protocol):
    """Tells the world of the runs of a project, and keeps what was told."""

    def told(self, run_id: str) -> int: ...  # the version of the latest news; 0 for none
    def tell(self, kind: str, detail: dict[str, Any]) -> None: ...
    def note(self, run_id: str, version: int) -> None: ...  # never back to an earlier one


class LayerStore(Protocol):
    """What `[prepare]` made, by the digest of what it was made from."""

    def find(self, digest: str) -> Layer | None: ...  # None: not there, or not whole
    def put(self, layer: Layer, archive: Path) -> None: ...
    def fetch(self, layer: Layer, place: Path) -> None: ...
    def failure(self, digest: str) -> Failure | None: ...  # the latest
    def fail(self, digest: str, failure: Failure) -> None: ...


class Progress(Protocol):
    """Hears of events as they are appended, for live displays; must never raise."""

    def __call__(self, stream: str, events: Iterable[Envelope]) -> None: ...
