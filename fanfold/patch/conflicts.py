"""What a conflict carries: its sides, and a rendering for the arbiter and for a person."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from fanfold.patch.model import GITLINK, SYMLINK, Entry
from fanfold.patch.three_way import MARKER, is_binary, merge_text


class ConflictKind(StrEnum):
    """Why a path could not be merged."""

    CONTENT = "content"
    ADD_ADD = "add_add"
    BINARY = "binary"
    MODIFY_DELETE = "modify_delete"
    RENAME_DELETE = "rename_delete"
    RENAME_RENAME = "rename_rename"
    DIRECTORY_RENAME = "directory_rename"
    FILE_DIRECTORY = "file_directory"
    DISTINCT_TYPES = "distinct_types"
    MODE = "mode"
    SUBMODULE = "submodule"
    CASE_COLLISION = "case_collision"


class Version(msgspec.Struct, frozen=True):
    """One side of a conflicted file; `data` is empty for a submodule."""

    path: str
    entry: Entry
    data: bytes


class Conflict(msgspec.Struct, frozen=True):
    """A conflicted path; a side of None has no such file.

    `ours` is what was merged before, `theirs` the patch.
    """

    path: str
    kind: ConflictKind
    base: Version | None = None
    ours: Version | None = None
    theirs: Version | None = None
    marker_size: int = MARKER


def diff3(conflict: Conflict) -> bytes:
    """The file with markers and the base between its sides; for no text, a line for each side."""
    sides = (conflict.base, conflict.ours, conflict.theirs)
    data = [side.data if side else b"" for side in sides]
    is_text = all(side is None or side.entry.mode not in (SYMLINK, GITLINK) for side in sides)
    if not is_text or any(map(is_binary, data)) or conflict.ours is None or conflict.theirs is None:
        return _summary(conflict).encode()
    return merge_text(
        *data, diff3=True, labels=("base", "merged", "patch"), marker_size=conflict.marker_size
    ).data


def _summary(conflict: Conflict) -> str:
    lines = [f"{conflict.kind}: {conflict.path}"]
    for label, side in (
        ("base", conflict.base),
        ("merged", conflict.ours),
        ("patch", conflict.theirs),
    ):
        told = "no such file" if side is None else _told(side)
        lines.append(f"{label}: {told}")
    return "\n".join(lines) + "\n"


def _told(side: Version) -> str:
    if side.entry.mode == SYMLINK:
        return f"{side.path} -> {side.data.decode('utf-8', 'replace')}"
    return f"{side.path} {side.entry.mode:o} {side.entry.oid} ({len(side.data)} bytes)"
