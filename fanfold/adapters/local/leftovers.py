"""What another user's processes leave behind outside of their tree, and its removal."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

from fanfold.adapters.folders import remove
from fanfold.adapters.local.bounded import run_bounded

_SHARED_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
_SHARED_BY_KEY = ("shm", "msg", "sem")
_REMOVE = 0
_ROUNDS = 20
_END_ALL = """\
import os, sys
user = int(sys.argv[1])
os.setresuid(user, user, user)
try:
    os.kill(-1, 9)
except ProcessLookupError:
    pass
"""


def end_all(user: int) -> None:
    """Every process of the user's; one that is quicker to kill us gets another round."""
    words = [str(Path(sys.executable).resolve()), "-I", "-S", "-c", _END_ALL, str(user)]
    for _ in range(_ROUNDS):
        if run_bounded(words, 10, cwd="/", env={}).exit_code == 0:
            return


def clear(user: int) -> None:
    """What the user left in folders that everybody may write, and in memory that has a key."""
    for shared in map(Path, _SHARED_FOLDERS):
        for place in shared.iterdir() if shared.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                if place.lstat().st_uid == user:
                    _remove(place)
    for kind in _SHARED_BY_KEY:
        _remove_shared(kind, user)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        remove(place)
    else:
        place.unlink()


def _remove_shared(kind: str, user: int) -> None:
    table = Path("/proc/sysvipc", kind)
    if not table.is_file():
        return
    names, *rows = (line.split() for line in table.read_text().splitlines())
    owner = names.index("uid")
    control = getattr(ctypes.CDLL(None), f"{kind}ctl")
    for row in rows:
        if int(row[owner]) == user:
            control(int(row[1]), *((0,) if kind == "sem" else ()), _REMOVE, None)


def mapped_users() -> range:
    """The ids of users that there are here: all of them, unless this is a namespace of users."""
    with contextlib.suppress(OSError):
        rows = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
        ranges = [range(int(first), int(first) + int(count)) for first, _, count in rows]
        return max(ranges, key=len, default=range(os.geteuid(), os.geteuid() + 1))
    return range(1 << 32)
