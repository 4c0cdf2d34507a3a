"""Folders that a sandbox shows over a layer, which stays as it is: no copy is made.

What commands change lies beside the tree, as does the record of it, where they cannot get at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RECORD, CHANGES = "overlays.json", "overlays"


class Overlay(msgspec.Struct, frozen=True):
    """`path` below the tree shows `lower`, with what `own` holds over it."""

    path: str
    lower: str
    own: str


def lay_over(root: Path, folders: Mapping[str, Path]) -> None:
    """Have the sandbox of the tree at `root` show each of `folders` at its path below it."""
    overlays: list[Overlay] = []
    for number, (path, lower) in enumerate(sorted(folders.items())):
        own = root.with_name(CHANGES) / str(number)
        for part in ("upper", "work"):
            (own / part).mkdir(parents=True)
        (own / "upper").chmod(lower.stat().st_mode & 0o7777)
        (root / path).mkdir(parents=True, exist_ok=True)
        overlays.append(Overlay(path, str(lower), str(own)))
    root.with_name(RECORD).write_bytes(msgspec.json.encode(overlays))


def laid_over(root: Path) -> list[Overlay]:
    """What the sandbox of the tree at `root` is to show over it."""
    try:
        return msgspec.json.decode(root.with_name(RECORD).read_bytes(), type=list[Overlay])
    except FileNotFoundError:
        return []
