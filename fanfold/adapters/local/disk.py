"""The file system's edge: clear errors, file locks, atomic writes."""

from __future__ import annotations

import errno
import itertools
import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fanfold.adapters.keys import TEMPORARY
from fanfold.errors import FanfoldError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LOCK_TIMEOUT_S = 30.0

_FULL = "free some space, then resume"
_DENIED = "make it writable for this user"
_MENDS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: _DENIED,
    errno.ENOTDIR: "move away the file that is where a folder must be",
    errno.EEXIST: "move away the file that is where a folder must be",
    errno.EISDIR: "move away the folder that is where a file must be",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENAMETOOLONG: "use a shorter name",
}
_serial = itertools.count()


@contextmanager
def translated(action: str, path: Path) -> Generator[None]:
    """Turns an `OSError` of the block into a `FanfoldError` that names the path and the mend."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        mend = _MENDS.get(error.errno or 0)
        line = f"cannot {action} {str(path)!r}: {reason}" + (f"; {mend}" if mend else "")
        raise FanfoldError(line) from error


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Generator[None]:
    """Holds the advisory lock at `path`, among threads and processes; the file stays, empty.

    A shared lock never makes the file: without one nobody of ours has written yet, or nobody can.

    Raises:
        FanfoldError: somebody else held it for `LOCK_TIMEOUT_S` seconds.
    """
    descriptor = _open_lock(path, shared)
    if descriptor is None:
        yield
        return
    try:
        deadline, pause = time.monotonic() + LOCK_TIMEOUT_S, 0.0002
        while not _taken(descriptor, shared):
            if time.monotonic() > deadline:
                raise _still_locked(path)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.01)
        yield
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes, *, durable: bool) -> None:
    """Replaces `path` wholly or not at all, making its folder; `durable` outlives a power cut."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{next(_serial)}")
    with translated("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Makes new names in the folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_lock(path: Path, shared: bool) -> int | None:
    with translated("lock", path):
        if not shared:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with suppress(FileNotFoundError, NotADirectoryError):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None


def _taken(descriptor: int, shared: bool) -> bool:
    if sys.platform == "win32":
        raise FanfoldError("fanfold needs POSIX file locks; run it on Linux, macOS or in WSL")
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_locked(path: Path) -> FanfoldError:
    return FanfoldError(
        f"{str(path)!r} has been locked by another process for {LOCK_TIMEOUT_S:.0f} s; "
        "end that process, then resume"
    )
