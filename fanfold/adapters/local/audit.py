"""What a finished command was kept from: told by the sandbox, or by the command's own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.run.access import is_allowed
from fanfold.run.incidents import Incident, IncidentKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fanfold.ports import CommandResult

MOST, LONGEST = 20, 200
_SAID = re.compile(
    r"^.*(?:(?P<processes>fork: (?:retry: )?Resource temporarily|[Cc]annot fork|can't fork)"
    r"|(?P<memory>Cannot allocate memory|^MemoryError)"
    r"|(?P<disk>No space left on device|File too large|File size limit exceeded)"
    r"|(?P<address>Network is unreachable)"
    r"|(?P<refused>Permission denied|Operation not permitted|Read-only file system)).*$",
    re.MULTILINE,
)
_HINTS = ("fork", "emory", "No space", "File ", "unreachable", "denied", "permitted", "Read-only")
_KINDS = frozenset(kind.value for kind in IncidentKind)
_SIGNALS = {
    137: (IncidentKind.MEMORY, "killed"),
    153: (IncidentKind.DISK, "a file grew too large"),
    159: (IncidentKind.SYSTEM_CALL, "killed"),
}


def audited(
    result: CommandResult, timeout_s: float, told: bytes = b"", hosts: Sequence[str] = ()
) -> CommandResult:
    """The result with its incidents, each once; `told` are lines of kind, tab and subject.

    A host that may be reached is none, whichever way the command looked for it.
    """
    every = [*_told(told, hosts), *_ended(result, timeout_s), *_said(result.output)]
    return replace(result, incidents=tuple(dict.fromkeys(every))[:MOST])


def _told(lines: bytes, hosts: Sequence[str]) -> Iterator[Incident]:
    for line in lines.decode("utf-8", "replace").splitlines():
        kind, _, subject = line.partition("\t")
        if kind not in _KINDS or not subject:
            continue
        incident = Incident(IncidentKind(kind), subject[:LONGEST])
        if incident.kind is not IncidentKind.HOST or not _reachable(subject, hosts):
            yield incident


def _reachable(subject: str, hosts: Sequence[str]) -> bool:
    name, _, port = subject.rpartition(":") if ":" in subject else (subject, "", "443")
    return is_allowed(name, int(port) if port.isdigit() else 0, hosts)


def _ended(result: CommandResult, timeout_s: float) -> Iterator[Incident]:
    if result.timed_out:
        yield Incident(IncidentKind.TIME, f"{timeout_s:g}")
    elif result.stopped:
        yield Incident(IncidentKind.STOPPED)
    elif result.exit_code in _SIGNALS:
        yield Incident(*_SIGNALS[result.exit_code])


def _said(output: str) -> Iterable[Incident]:
    if not any(hint in output for hint in _HINTS):
        return
    for match in _SAID.finditer(output):
        yield Incident(IncidentKind(match.lastgroup or "refused"), match[0].strip()[:LONGEST])
