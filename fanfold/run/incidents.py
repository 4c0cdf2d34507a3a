"""What a sandbox kept a command from or ended it for, and the hosts that it let it reach."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from fanfold.run.decoders import learn


class IncidentKind(StrEnum):
    """Why a command did not get what it wanted; and one for a host that it did get."""

    REACHED = "reached"  # a host on the allow-list; the subject is `name:port`

    HOST = "host"  # a host that is not on the allow-list; the subject is `name` or `name:port`
    ADDRESS = "address"  # an address beyond loopback; the subject is `address:port`
    REFUSED = "refused"  # the kernel said no; the subject is what the command said of it
    TIME = "time"  # ended at its time limit, the subject in seconds
    STOPPED = "stopped"  # ended because the attempt must end
    LEFT_OVER = "left_over"  # processes that were ended with it, the subject their number
    PROCESSES = "processes"  # no more processes for it
    MEMORY = "memory"  # no more memory for it, or killed for it
    DISK = "disk"  # a file too large, or no room
    SYSTEM_CALL = "system_call"  # killed for a forbidden system call


class Incident(msgspec.Struct, frozen=True):
    """One kind about one subject, however often it happened in the command."""

    kind: IncidentKind
    subject: str = ""


learn(Incident)


def hosts(incidents: tuple[Incident, ...]) -> tuple[str, ...]:
    """The hosts that were denied, sorted, each once."""
    return tuple(sorted({i.subject for i in incidents if i.kind is IncidentKind.HOST}))
