"""Every error that fanfold raises on purpose, in one tree.

`FanfoldError` and its children carry one clear line for a person in `str(error)`, and `exit_code`,
the code the
command line ends with when the error reaches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class FanfoldError(Exception):
    """Root of the tree; something outside failed unless a child says otherwise."""

    exit_code = 5


class UserError(FanfoldError):
    """The command line or an input is wrong; nothing was started."""

    exit_code = 2


class InvalidPlan(UserError):
    """A plan that cannot be read as one; `line` is 1-based, 0 for the file as a whole."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}" if line else f"{path}: {problem}")
        self.path, self.line, self.problem = path, line, problem


class InvalidSettings(UserError):
    """fanfold.toml or an environment variable that does not say what it must."""


class InvalidRepository(UserError):
    """Not a repository, or one in a state that a run cannot start from."""


class ApplyRefused(UserError):
    """A result that cannot go into, or out of, the user's work tree as it is; nothing was changed.

    `paths` are the files that are in the way, if any.
    """

    def __init__(self, problem: str, paths: Sequence[str]) -> None:
        named = ", ".join(repr(path) for path in paths[:5])
        more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
        super().__init__(f"{problem}: {named}{more}" if paths else problem)
        self.problem, self.paths = problem, tuple(paths)


class InvalidPatch(FanfoldError):
    """Bytes that are not a git patch, or a patch the gate refuses.

    `code` is machine-readable (`not_a_patch`, `path_escape`, …), `path` the file it concerns, if
    any.
    """

    def __init__(self, code: str, detail: str, path: str | None = None) -> None:
        super().__init__(f"{code}: {detail}" + (f" ({path!r})" if path is not None else ""))
        self.code, self.detail, self.path = code, detail, path


class UnknownRun(UserError):
    """No run, or more than one, answers to that name."""


class RunBusy(UserError):
    """Another process is driving this run or this plan."""


class UnpricedModel(UserError):
    """A model without a known price; such a model is never called."""


class MissingKey(UserError):
    """No credential for the model API."""


class AccessDenied(UserError):
    """The policy refuses; the message says what is allowed."""


class SandboxUnavailable(UserError):
    """A role needs a shell, and no sandbox can contain it here."""


class Stopped(FanfoldError):
    """Told to stop while a command ran; what it was for has not been done."""


class PrepareFailed(FanfoldError):
    """A command of `[prepare]` did not end well; `exit_code` is 5, `output` what it said."""

    def __init__(self, command: str, code: int, output: str, denied: Sequence[str] = ()) -> None:
        last = output.strip().splitlines()[-1:] or ["it said nothing"]
        told = f"prepare command {command!r} ended with {code}: {last[0]}"
        if denied:
            names = ", ".join(f'"{host.removesuffix(":443")}"' for host in denied)
            told += f"; to let it reach what it asked for: `[prepare] network = [{names}]`"
        super().__init__(told)
        self.command, self.code, self.output, self.denied = command, code, output, tuple(denied)


class StreamConflict(FanfoldError):
    """An append lost the race: the stream is not at the version it was expected to be at."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream!r} is at version {actual}, not {expected}")
        self.stream, self.expected, self.actual = stream, expected, actual


class InvalidStream(FanfoldError):
    """A run stream that contradicts itself, so that no state follows from it."""


class LeaseHeld(FanfoldError):
    """Somebody else holds the lease; `holder` says who."""

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(f"{name!r} is held by {holder!r}")
        self.name, self.holder = name, holder


class LeaseLost(FanfoldError):
    """The lease expired or was taken over; its former holder must stop."""


class ClaimRefused(FanfoldError):
    """A key that was never drawn for this attempt, has expired, or belongs to another process."""


class AttemptOver(FanfoldError):
    """An attempt that nobody may begin any more: it has ended, or the run has gone on without."""


class ArtifactMissing(FanfoldError):
    """No artifact under that key."""


class ArtifactCorrupt(FanfoldError):
    """An artifact whose content does not match its digest."""


class CloudError(FanfoldError):
    """A cloud service refused a request; `code` is the service's own word for the reason."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CloudUnavailable(CloudError):
    """A cloud service throttles, fails or is not reached, all retries included: try again later.

    The request may have been carried out all the same.
    """


class ModelError(FanfoldError):
    """A model call that gave no usable reply."""


class ModelUnavailable(ModelError):
    """The API is overloaded, throttles or fails (429, 529, 5xx, no connection): try again.

    `retry_after` in seconds where the API said so; `billed` when the call may have been billed all
    the same.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, billed: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after, self.billed = retry_after, billed


class StreamDropped(ModelUnavailable):
    """A reply that stopped in the middle; nothing of it may be executed, and it counts in full."""

    def __init__(self, message: str) -> None:
        super().__init__(message, billed=True)


class ModelDenied(ModelError):
    """The API refuses this key or this model (401, 403, 404): no retry helps."""


class ModelRejected(ModelError):
    """The API refuses this request (400, 413): the same request will fail again."""


class WorkspaceError(FanfoldError):
    """A path that the workspace cannot read or write; the text is shown to the model."""


class TreeIncomplete(WorkspaceError):
    """The files as they are cannot be a tree; `tree` has all that can, the rest as it was."""

    def __init__(self, message: str, tree: str) -> None:
        super().__init__(message)
        self.tree = tree
