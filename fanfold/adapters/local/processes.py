"""Which process is which, so that a recycled process id is not mistaken for its former owner."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

import msgspec

_ZOMBIE = "ended"


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process of one boot of one machine; `space` is its pid namespace, empty where unknown."""

    pid: int
    started: str
    machine: str
    boot: str
    space: str


def own_identity() -> ProcessIdentity:
    pid = os.getpid()
    return ProcessIdentity(pid, _started(pid) or "", _machine(), _boot(), _space())


def is_gone(identity: ProcessIdentity) -> bool:
    """Whether the process has surely ended; False also where that cannot be told from here."""
    if identity.machine != _machine():
        return False
    if identity.boot != _boot():
        return True
    if identity.space != _space():
        return False
    started = _started(identity.pid)
    if started is None:
        return not _exists(identity.pid)
    return bool(identity.started) and started != identity.started


def _started(pid: int) -> str | None:
    """When the process started, fit for comparison only; None where nothing is to be seen of it."""
    if not Path("/proc/self/stat").exists():
        return _started_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(b")")[2].split()
    return _ZOMBIE if fields[0] in b"ZX" else fields[19].decode()


def _started_by_ps(pid: int) -> str | None:
    command = ["/usr/bin/env", "LC_ALL=C", "ps", "-o", "stat=,lstart=", "-p", str(pid)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    state, _, started = found.stdout.strip().partition(" ")
    return _ZOMBIE if state.startswith("Z") else started.strip() or None


def _exists(pid: int) -> bool:
    """Also for a process of another user that this one may not look at."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@cache
def _machine() -> str:
    return _content("/etc/machine-id") or platform.node()


@cache
def _boot() -> str:
    return _content("/proc/sys/kernel/random/boot_id")


def _space() -> str:
    link = Path("/proc/self/ns/pid")
    return str(link.readlink()) if link.is_symlink() else ""


def _content(path: str) -> str:
    file = Path(path)
    return file.read_text().strip() if file.is_file() else ""
