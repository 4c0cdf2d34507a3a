"""Merges one file whose two sides both differ from the base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.patch.attributes import Driver
from fanfold.patch.conflicts import ConflictKind
from fanfold.patch.model import EXECUTABLE, GITLINK, REGULAR, SYMLINK, Entry
from fanfold.patch.three_way import is_binary, merge_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.patch.objects import Objects

FILES = frozenset((REGULAR, EXECUTABLE))


class Text(msgspec.Struct, frozen=True):
    """The three sides of a text file, and how its attributes say to merge it."""

    path: str
    base: bytes
    ours: bytes
    theirs: bytes
    driver: Driver


class Resolved(msgspec.Struct, frozen=True):
    """A conflict that rules settled: the merged bytes, and the rules in order of use."""

    data: bytes
    rules: tuple[str, ...]


class Merge(msgspec.Struct, frozen=True):
    """What came of a file: its entry or a conflict; `rules` where the ladder settled it."""

    entry: Entry | None = None
    conflict: ConflictKind | None = None
    rules: tuple[str, ...] = ()


def same_type(one: Entry, other: Entry) -> bool:
    return one.mode == other.mode or {one.mode, other.mode} <= FILES


def merge_file(
    path: str,
    sides: tuple[Entry | None, Entry, Entry],
    objects: Objects,
    driver: Driver,
    settle: Callable[[Text], Resolved | None] | None = None,
) -> Merge:
    """Merge (base, ours, theirs) of one type.

    A merged blob goes into `objects`. `settle` is asked before giving up.
    """
    base, ours, theirs = sides
    if base is not None and not same_type(base, ours):
        base = None
    mode, mode_is_clean = _mode(base, ours, theirs)
    merge = _content(path, (base, ours, theirs), mode, objects, driver, settle)
    if merge.conflict is None and not mode_is_clean:
        return Merge(conflict=ConflictKind.MODE)
    return merge


def _mode(base: Entry | None, ours: Entry, theirs: Entry) -> tuple[int, bool]:
    was = None if base is None else base.mode
    if ours.mode in (theirs.mode, was):
        return theirs.mode, True
    return ours.mode, theirs.mode == was


def _content(
    path: str,
    sides: tuple[Entry | None, Entry, Entry],
    mode: int,
    objects: Objects,
    driver: Driver,
    settle: Callable[[Text], Resolved | None] | None,
) -> Merge:
    base, ours, theirs = sides
    was = None if base is None else base.oid
    if ours.oid in (theirs.oid, was):
        return Merge(Entry(mode, theirs.oid))
    if theirs.oid == was:
        return Merge(Entry(mode, ours.oid))
    if ours.mode in (SYMLINK, GITLINK):
        return Merge(conflict=_kind(base, ours))
    before, mine, other = (b"" if side is None else objects.blob(side.oid, path) for side in sides)
    text = Text(path, before, mine, other, driver)
    if driver.binary or any(map(is_binary, (before, mine, other))):
        return Merge(conflict=ConflictKind.BINARY)
    merged = merge_text(before, mine, other, union=driver.union)
    if merged.clean:
        return Merge(Entry(mode, objects.put("blob", merged.data)))
    settled = settle(text) if settle else None
    if settled is None:
        return Merge(conflict=_kind(base, ours))
    return Merge(Entry(mode, objects.put("blob", settled.data)), rules=settled.rules)


def _kind(base: Entry | None, ours: Entry) -> ConflictKind:
    if ours.mode == GITLINK:
        return ConflictKind.SUBMODULE
    return ConflictKind.ADD_ADD if base is None else ConflictKind.CONTENT
