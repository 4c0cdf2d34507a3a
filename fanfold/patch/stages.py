"""What there is to bring together: two sides' edits of one base, path by path."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fanfold.patch.conflicts import ConflictKind
from fanfold.patch.model import Entry
from fanfold.patch.trees import Pair, Tree

BASE, OURS, THEIRS = 0, 1, 2


class Sides(msgspec.Struct, frozen=True):
    """The common base, the merged tree so far, and both sides' edits of the base."""

    base: Tree
    current: Tree
    ours: Mapping[str, Pair]
    theirs: Mapping[str, Pair]

    def edits(self, side: int) -> Mapping[str, Pair]:
        return self.ours if side == OURS else self.theirs

    def is_gone(self, directory: str, side: int) -> bool:
        """Whether the base has the directory and that side has it no longer."""
        if not self.base.is_directory(directory):
            return False
        if side == OURS:
            return not self.current.is_directory(directory)
        below = directory + "/"
        if any(now and path.startswith(below) for path, (_, now) in self.theirs.items()):
            return False
        return all(path in self.theirs for path in self.base.files(directory))


class Stages(msgspec.Struct):
    """A path's base, ours and theirs, each with the path that it has on that side."""

    entries: list[Entry | None]
    names: list[str]
    conflict: ConflictKind | None = None


class Table:
    """The stages of every path that matters; asking for a path puts it in."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self.stages: dict[str, Stages] = {}

    def at(self, path: str) -> Stages:
        if path not in self.stages:
            ours, theirs = self._sides.ours.get(path), self._sides.theirs.get(path)
            either = ours or theirs
            base = either[0] if either else self._sides.base.file(path)
            entries = [base, ours[1] if ours else base, theirs[1] if theirs else base]
            self.stages[path] = Stages(entries, [path] * 3)
        return self.stages[path]
