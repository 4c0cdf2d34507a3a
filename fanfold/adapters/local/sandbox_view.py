"""The file system that bubblewrap shows a command, as options: all of it read-only or empty."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.adapters.local.sandbox_mounts import (
    SYSTEM,
    home,
    is_system,
    private_settings,
    secrets_in,
    toolchains,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TMPFS_BYTES = 4 << 30
_KERNEL = ("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev")
_EMPTY = {"/dev/shm": "1777", "/tmp": "1777", "/var/tmp": "1777", "/run": "0755"}  # noqa: S108


def view(environ: Mapping[str, str], also: Sequence[Path], *, sized: bool) -> Iterator[str]:
    """The system's folders, an empty HOME and /tmp, and the toolchains and `also` in them.

    `sized` bounds what can be written to the empty ones, which bubblewrap can from 0.7 on.
    """
    yield from _system(sized)
    yield from _KERNEL
    yield from ("--remount-ro", "/dev")
    for place, mode in empty_places(environ).items():
        yield from _empty(place, mode, sized)
    for folder in (*toolchains(environ), *(place for place in also if not is_system(place))):
        yield from ("--ro-bind-try", str(folder), str(folder))
        yield from _hidden(secrets_in(folder), sized)


def empty_places(environ: Mapping[str, str]) -> dict[str, str]:
    """What is empty and can be written, with modes."""
    return {**_EMPTY, str(home(environ)): "0700"}


def _system(sized: bool) -> Iterator[str]:
    for name in SYSTEM:
        place = Path(name)
        if place.is_symlink():
            yield from ("--symlink", str(place.readlink()), name)
        elif place.is_dir():
            yield from ("--ro-bind", name, name)
    yield from _hidden(private_settings(), sized)


def _hidden(places: Sequence[Path], sized: bool) -> Iterator[str]:
    for place in places:
        if place.is_dir():
            yield from _empty(str(place), "0700", sized)
            yield from ("--remount-ro", str(place))
        else:
            yield from ("--ro-bind", "/dev/null", str(place))


def _empty(place: str, mode: str, sized: bool) -> Iterator[str]:
    if sized:
        yield from ("--size", str(TMPFS_BYTES))
    yield from ("--perms", mode, "--tmpfs", place)
