"""Who may do what: one vocabulary for tool calls and for secrets, network and git; default deny."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from fanfold.run.decoders import learn

if TYPE_CHECKING:
    from collections.abc import Sequence

_WEB_PORTS = (80, 443)


class Operation(StrEnum):
    """What is done to the world: by a tool, by a command, or by fanfold itself.

    The subject of the first four is a path or a command, of a connection `host:port`, of a secret
    its name, of a commit the ref that it moves.
    """

    READ = "read"
    WRITE = "write"
    RUN = "run"
    SUBMIT = "submit"
    CONNECT = "network.connect"
    SECRET = "secret.read"  # noqa: S105
    COMMIT = "git.commit"


class Refusal(StrEnum):
    """Which rule a denial comes from."""

    TOOL = "tool"  # there is none of that name, or the role has it not
    OPERATION = "operation"  # not in this attempt
    INPUT = "input"  # malformed
    PATH = "path"  # absolute, or out of the repository
    GIT = "git"  # git's own files
    CONTROL = "control_file"  # the plan, and what fanfold keeps
    HIDDEN = "hidden"  # `[context] deny`
    OUTPUT = "output"  # what a tool said is not written
    SCOPE = "scope"  # outside what task or role may read or write
    HOST = "host"  # not on the allow-list
    SECRET = "secret"  # noqa: S105
    REF = "ref"  # a ref that is not fanfold's


class Decision(msgspec.Struct, frozen=True):
    """Allowed or not, and why; the reason of a denial says what is allowed."""

    allowed: bool
    why: str
    refusal: Refusal | None = None


class Access(msgspec.Struct, frozen=True):
    """What `who` may do beyond tool calls: to which hosts, with which secrets, on which refs.

    A host is a name or `*.domain`, with `:port` unless that is 80 or 443; a ref may end in `/*`.
    """

    who: str
    hosts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()

    def decide(self, operation: Operation, subject: str) -> Decision:
        """Whether `operation` may be done to `subject`; tool calls are never judged here."""
        match operation:
            case Operation.CONNECT:
                host, _, port = subject.rpartition(":")
                allowed, granted = is_allowed(host, int(port), self.hosts), self.hosts
                refusal, said = Refusal.HOST, f"{subject} is not among the allowed hosts"
            case Operation.SECRET:
                allowed, granted = subject in self.secrets, self.secrets
                refusal, said = Refusal.SECRET, f"{self.who} may not read the secret {subject}"
            case Operation.COMMIT:
                allowed = any(fnmatchcase(subject, pattern) for pattern in self.refs)
                granted = self.refs
                refusal, said = Refusal.REF, f"{self.who} may not move {subject}"
            case _:
                allowed, granted = False, ()
                refusal, said = Refusal.OPERATION, f"{self.who} may not {operation}"
        if allowed:
            return Decision(True, f"{self.who} may {operation}")
        return Decision(False, f"{said}; allowed: {', '.join(granted) or 'none'}", refusal)


def is_allowed(host: str, port: int, allow: Sequence[str]) -> bool:
    """`allow` holds hosts and `*.domain`s, each with `:port` unless it is 80 or 443."""
    for pattern in allow:
        name, _, wanted = pattern.lower().partition(":")
        if port != int(wanted) if wanted else port not in _WEB_PORTS:
            continue
        if host == name or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False


BY_PROVIDER = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "bedrock": ("AWS_BEARER_TOKEN_BEDROCK",),
}
MODEL_SECRETS = tuple(name for names in BY_PROVIDER.values() for name in names)
MODEL_PASS = "model-pass"  # noqa: S105
HARNESS = Access("fanfold", secrets=(*MODEL_SECRETS, MODEL_PASS), refs=("refs/heads/fanfold/*",))
"""Our own process: what its models are called with, and the branches of results."""


def for_commands(who: str, secrets: Sequence[str]) -> Access:
    """The secrets that a project names for its commands; what a model is called with is never."""
    own = (*MODEL_SECRETS, MODEL_PASS, "AWS_*", "FANFOLD_*")
    return Access(
        who,
        secrets=tuple(n for n in secrets if not any(fnmatchcase(n.upper(), kept) for kept in own)),
    )


learn(Access)
