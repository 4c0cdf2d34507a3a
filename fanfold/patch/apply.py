"""Turns a patch into tree edits over its base, proving what it claims about both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import InvalidPatch
from fanfold.patch import binary
from fanfold.patch.limits import Limits
from fanfold.patch.model import (
    EXECUTABLE,
    GITLINK,
    REGULAR,
    SYMLINK,
    Entry,
    FileChange,
    Hunk,
    Patch,
)
from fanfold.patch.objects import Objects, oid_of
from fanfold.patch.trees import Pair

if TYPE_CHECKING:
    from fanfold.patch.trees import Tree

MODES = frozenset((REGULAR, EXECUTABLE, SYMLINK))


class Edits(msgspec.Struct, frozen=True):
    """What a patch does to its base: path → (old entry, new entry), and its new blobs."""

    changes: dict[str, Pair]
    objects: Objects


def edits(patch: Patch, base: Tree, objects: Objects, *, limits: Limits | None = None) -> Edits:
    """The patch over `base`; new blobs go into `objects`.

    Raises `InvalidPatch`: `base_mismatch` where the base is not what the patch says, `oid_mismatch`
    where the content is not, `duplicate_path`, `file_directory_conflict`, `below_symlink`,
    `file_too_large`, `bad_mode`, `bad_binary`.
    """
    removed: dict[str, Entry] = {}
    written: dict[str, Entry] = {}
    limits = limits or Limits()
    for change in patch.changes:
        old = _old_entry(change, base)
        if change.old_path is not None and old is not None and not change.is_copy:
            _once(removed, change.old_path, old)
        if change.new_path is not None:
            _once(written, change.new_path, _new_entry(change, old, objects, limits))
    _check_places(removed, written, base)
    paths = dict.fromkeys((*removed, *written))
    return Edits({path: (removed.get(path), written.get(path)) for path in paths}, objects)


def _once(side: dict[str, Entry], path: str, entry: Entry) -> None:
    if path in side:
        raise InvalidPatch("duplicate_path", "the patch changes it twice", path)
    side[path] = entry


def _old_entry(change: FileChange, base: Tree) -> Entry | None:
    path = change.old_path
    if path is None:
        return None
    entry = base.file(path)
    if entry is None:
        raise InvalidPatch("base_mismatch", "the base has no such file", path)
    if change.old_oid is not None and change.old_oid != entry.oid:
        raise InvalidPatch(
            "base_mismatch", f"the base has {entry.oid}, the patch {change.old_oid}", path
        )
    if change.old_mode is not None and change.old_mode != entry.mode:
        raise InvalidPatch("base_mismatch", f"the base has mode {entry.mode:o}", path)
    return entry


def _new_entry(change: FileChange, old: Entry | None, objects: Objects, limits: Limits) -> Entry:
    path = change.path
    mode = change.new_mode if change.new_mode is not None else old.mode if old else None
    if mode == GITLINK and change.new_oid is not None:
        return Entry(GITLINK, change.new_oid)
    if mode is None or (mode not in MODES and mode != (old.mode if old else None)):
        raise InvalidPatch("bad_mode", f"mode {mode:o}" if mode else "no mode", path)
    if change.new_oid is None:
        if old is None:
            raise InvalidPatch("bad_header", "a new file without an index line", path)
        return Entry(mode, old.oid)
    before = b"" if old is None else objects.blob(old.oid, path)
    after = _content(change, before, limits)
    limits.take(len(after), path)
    oid = oid_of("blob", after)
    if oid != change.new_oid:
        raise InvalidPatch(
            "oid_mismatch", f"the content is {oid}, the patch says {change.new_oid}", path
        )
    return Entry(mode, objects.put("blob", after))


def _content(change: FileChange, before: bytes, limits: Limits) -> bytes:
    if change.binary is not None:
        return binary.content(change.binary, before, change.path, limits)
    return apply_hunks(before, change.hunks, change.path) if change.hunks else before


def _check_places(removed: dict[str, Entry], written: dict[str, Entry], base: Tree) -> None:
    """No new file may stand below a file, over a directory, or on another file."""
    for path in written:
        if path not in removed and base.file(path) is not None:
            raise InvalidPatch("base_mismatch", "the patch creates it, the base has it", path)
        above = ""
        for name in path.split("/")[:-1]:
            above = f"{above}/{name}" if above else name
            there = written.get(above) or (None if above in removed else base.file(above))
            if there is not None:
                code = "below_symlink" if there.mode == SYMLINK else "file_directory_conflict"
                raise InvalidPatch(code, f"{above!r} is no directory", path)
        if base.is_directory(path) and any(file not in removed for file in base.files(path)):
            raise InvalidPatch("file_directory_conflict", "a directory stands there", path)


def apply_hunks(before: bytes, hunks: tuple[Hunk, ...], path: str) -> bytes:
    """The new content.

    Raises `InvalidPatch` with `hunk_mismatch` unless every line is exactly where its hunk says.
    """
    lines = split_lines(before)
    out: list[bytes] = []
    at = 0
    for hunk in hunks:
        start = hunk.old_start - (hunk.old_count > 0)
        old = [line[1:] for line in hunk.lines if not line.startswith(b"+")]
        if start < at or lines[start : start + len(old)] != old or start > len(lines):
            raise InvalidPatch(
                "hunk_mismatch", f"the hunk at line {hunk.old_start} does not fit", path
            )
        out.extend(lines[at:start])
        out.extend(line[1:] for line in hunk.lines if not line.startswith(b"-"))
        at = start + len(old)
    out.extend(lines[at:])
    return b"".join(out)


def split_lines(data: bytes) -> list[bytes]:
    """Lines with their newlines, split at LF alone."""
    parts = data.split(b"\n")
    last = parts.pop()
    lines = [part + b"\n" for part in parts]
    return [*lines, last] if last else lines
