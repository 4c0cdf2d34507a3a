"""Brings renamed files, and files in renamed directories, to where git would merge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.patch.conflicts import ConflictKind
from fanfold.patch.content import same_type
from fanfold.patch.directories import follow, moved_directories, parents
from fanfold.patch.renames import find_renames
from fanfold.patch.stages import BASE, OURS, THEIRS, Sides, Stages, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.patch.content import Merge
    from fanfold.patch.model import Entry


class Moves:
    """Renames of both sides, found only where the other side's edits make them matter."""

    def __init__(
        self,
        sides: Sides,
        table: Table,
        read: Callable[[str], bytes],
        merge_at: Callable[[str, tuple[Entry | None, Entry, Entry]], Merge],
    ) -> None:
        self._sides, self._table = sides, table
        self._read, self._merge_at = read, merge_at

    def trace(self) -> None:
        """Rearrange the table: where a file was renamed, its three sides stand at its new path."""
        filled = {side: self._filled_directories(side) for side in (OURS, THEIRS)}
        renames = {side: self._renames(side, filled[side]) for side in (OURS, THEIRS)}
        self._follow_directories(renames, filled)
        ours, theirs = renames[OURS], renames[THEIRS]
        for old in sorted(ours.keys() | theirs.keys()):
            if old in ours and old in theirs:
                self._both_renamed(old, ours[old], theirs[old])
            elif old in ours and old in self._sides.theirs:
                self._one_renamed(old, ours[old], OURS)
            elif old in theirs:
                self._one_renamed(old, theirs[old], THEIRS)

    def _filled_directories(self, side: int) -> set[str]:
        """Directories gone on this side that the other side put a new file right into."""
        mine, other = self._sides.edits(side), self._sides.edits(OURS + THEIRS - side)
        if side == THEIRS and not any(now is None for _, now in mine.values()):
            return set()
        nearest = {path.rpartition("/")[0] for path, (was, now) in other.items() if now and not was}
        return {name for name in nearest if name and self._sides.is_gone(name, side)}

    def _renames(self, side: int, filled: set[str]) -> dict[str, str]:
        """Renames of this side, if it deleted what the other side touched, or filled."""
        mine, other = self._sides.edits(side), self._sides.edits(OURS + THEIRS - side)
        touched = {path for path in self._sides.theirs if path in mine and path in other}
        if filled:
            touched.update(path for path in mine if not filled.isdisjoint(parents(path)))
        wanted = {path for path in touched if mine[path][0] and not mine[path][1]}
        return find_renames(mine, wanted, self._read) if wanted else {}

    def _follow_directories(
        self, renames: dict[int, dict[str, str]], filled: dict[int, set[str]]
    ) -> None:
        moved = {side: moved_directories(renames[side], filled[side]) for side in renames}
        for directory in moved[OURS].keys() & moved[THEIRS].keys():
            del moved[OURS][directory], moved[THEIRS][directory]
        for side, own in moved.items():
            others = moved[OURS + THEIRS - side]
            sources = {new: old for old, new in renames[side].items()}
            for path, (was, now) in sorted(self._sides.edits(side).items()) if others else ():
                to = None if was or not now else follow(path, others, own)
                if to is not None:
                    self._carry(path, to, side)
                if to is not None and path in sources:
                    renames[side][sources[path]] = to

    def _carry(self, path: str, to: str, side: int) -> None:
        """Bring a new file where its directory went: for a person to confirm, as git has it."""
        source, target = self._table.at(path), self._table.at(to)
        target.conflict = ConflictKind.DIRECTORY_RENAME
        if to != path and target.entries[side] is None:
            target.entries[side], source.entries[side] = source.entries[side], None
            target.names[side] = path

    def _both_renamed(self, old: str, ours: str, theirs: str) -> None:
        source = self._table.at(old)
        if ours != theirs:
            for path in (old, ours, theirs):
                self._table.at(path).conflict = ConflictKind.RENAME_RENAME
            return
        _bring_base(old, source, self._table.at(ours))
        source.entries = [None] * 3

    def _one_renamed(self, old: str, new: str, side: int) -> None:
        source, target = self._table.at(old), self._table.at(new)
        other = OURS + THEIRS - side
        mine, others = target.entries[side], source.entries[other]
        collides = target.entries[other] is not None
        if others is not None and mine is not None and not same_type(mine, others):
            # The renamed file meets a deletion; what the other side put in its place stays there.
            _bring_base(old, source, target)
            source.entries[BASE] = None
            target.conflict = target.conflict if collides else ConflictKind.MODIFY_DELETE
            return
        if others is None:
            target.conflict = ConflictKind.RENAME_DELETE
        if others is not None and collides:
            self._merge_into(source, target, side)
        elif not collides:
            _bring_base(old, source, target)
            target.entries[other], target.names[other] = others, old
        source.entries = [None] * 3

    def _merge_into(self, source: Stages, target: Stages, side: int) -> None:
        """The other side edited the renamed file, and put another file at its new path."""
        sides = [source.entries[OURS], source.entries[THEIRS]]
        sides[side - 1] = target.entries[side]
        ours, theirs = sides
        if ours is None or theirs is None:
            return
        merge = self._merge_at(target.names[side], (source.entries[BASE], ours, theirs))
        if merge.entry is None:
            target.conflict = ConflictKind.RENAME_RENAME
        else:
            target.entries[side] = merge.entry


def _bring_base(old: str, source: Stages, target: Stages) -> None:
    target.entries[BASE], target.names[BASE] = source.entries[BASE], old
