"""Paths as models write them."""

from __future__ import annotations

import re

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def normal(path: str) -> str:
    """Without `./`, doubled and closing slashes; the root is empty."""
    absolute = path.startswith("/")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    return ("/" if absolute else "") + "/".join(parts)


def insane(path: str) -> str | None:
    """Why a path cannot be one of the repository's; None for a sane one."""
    if path.startswith(("/", "~")) or _DRIVE.match(path):
        return f"{path!r} is absolute; paths are relative to the repository root"
    if ".." in path.split("/"):
        return f"{path!r} leaves the repository"
    if not path.isprintable():
        return f"{path!r} holds a control character"
    return None
