"""What a patch says once read, and what stands in a tree."""

from __future__ import annotations

import msgspec

REGULAR = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
GITLINK = 0o160000
TREE = 0o040000


class Entry(msgspec.Struct, frozen=True):
    """An entry of a tree: its canonical mode, and its object id in hex."""

    mode: int
    oid: str


class Hunk(msgspec.Struct, frozen=True):
    """A hunk of a text file.

    Each of `lines` is ` `, `-` or `+`, then the line's own bytes with its newline, if it has one.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[bytes, ...]


class Binary(msgspec.Struct, frozen=True):
    """Binary content as the patch carries it; `size` is what it claims to inflate to, unproven."""

    is_delta: bool
    size: int
    deflated: bytes


class FileChange(msgspec.Struct, frozen=True):
    """One file of a patch.

    A path of None: the file is created or deleted; a mode of None: not stated; an oid of None: the
    patch has no index line, so the content stays what it was.
    """

    old_path: str | None
    new_path: str | None
    old_mode: int | None = None
    new_mode: int | None = None
    old_oid: str | None = None
    new_oid: str | None = None
    hunks: tuple[Hunk, ...] = ()
    binary: Binary | None = None
    is_copy: bool = False

    @property
    def path(self) -> str:
        """The path to name the change by."""
        return self.new_path or self.old_path or ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path the change writes or removes, and the source of a copy."""
        return tuple(dict.fromkeys(p for p in (self.old_path, self.new_path) if p is not None))


class Patch(msgspec.Struct, frozen=True):
    """A git patch; no changes is a legal patch."""

    changes: tuple[FileChange, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path of every change, in the patch's order, each once."""
        return tuple(dict.fromkeys(path for change in self.changes for path in change.paths))
