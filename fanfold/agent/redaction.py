"""Secrets taken out of what an attempt is told, before it is cut, kept or sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.agent.strings import map_strings
from fanfold.run.attempt import Context
from fanfold.run.incidents import Incident

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.ports import SecretScanner

MARK = "«redacted:"
_TEXTS = (
    "plan_title",
    "spec",
    "instructions",
    "constraints",
    "hint",
    "tasks",
    "predecessors",
    "conflicts",
    "candidates",
    "failed_checks",
    "role_file",
)


def told_safely(incidents: Sequence[Incident], secrets: SecretScanner) -> tuple[Incident, ...]:
    """The same incidents with what a command said of them redacted."""
    return tuple(Incident(i.kind, secrets.redact(i.subject)) for i in incidents)


def redacted(context: Context, redact: Callable[[str], str]) -> Context:
    """The same bundle with its texts redacted; names, rules and limits stay as they are."""
    plain = msgspec.to_builtins(context)
    plain |= {name: map_strings(plain[name], redact) for name in _TEXTS}
    plain["outline"] = _lines_redacted(plain["outline"], redact)
    return msgspec.convert(plain, Context)


def _lines_redacted(lines: Sequence[str], redact: Callable[[str], str]) -> list[str]:
    """All at once: a long plan has hundreds, for each of its attempts. Redacting keeps lines."""
    if any("\n" in line for line in lines):
        return [redact(line) for line in lines]
    return redact("\n".join(lines)).split("\n") if lines else []


def redacted_patch(patch: bytes, secrets: SecretScanner) -> bytes:
    """A patch that adds a secret, without it, line for line; any other as it is."""
    lines = patch.decode("utf-8", "surrogateescape").split("\n")
    places = [at for at, line in enumerate(lines) if line.startswith("+")]
    added = "\n".join(lines[at][1:] for at in places)
    if not secrets.find(added):
        return patch
    for at, line in zip(places, secrets.redact(added).split("\n"), strict=True):
        lines[at] = f"+{line}"
    return secrets.redact("\n".join(lines)).encode("utf-8", "surrogateescape")
