"""Brings two sets of edits of one base together, path by path, with git's verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from fanfold.patch.conflicts import Conflict, ConflictKind, Version
from fanfold.patch.content import Merge, merge_file, same_type
from fanfold.patch.directories import follow, moved_directories, parents
from fanfold.patch.model import GITLINK, Entry
from fanfold.patch.renames import find_renames
from fanfold.patch.trees import Pair, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fanfold.patch.attributes import Attributes
    from fanfold.patch.content import Resolved, Text
    from fanfold.patch.objects import Objects

OURS, THEIRS = 1, 2


class Resolution(msgspec.Struct, frozen=True):
    """A file that both sides changed and a rule brought together; `rules` is empty where git's
    merge did.
    """

    path: str
    rules: tuple[str, ...] = ()
    base: str | None = None
    ours: str | None = None
    theirs: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """Edits to the merged tree, or conflicts and then no edits."""

    edits: dict[str, Entry | None]
    conflicts: tuple[Conflict, ...] = ()
    resolutions: tuple[Resolution, ...] = ()


class Sides(msgspec.Struct, frozen=True):
    """What there is to bring together: the common base, the merged tree so far, and both sides'
    edits of the base.
    """

    base: Tree
    current: Tree
    ours: Mapping[str, Pair]
    theirs: Mapping[str, Pair]


class Stages(msgspec.Struct):
    """A path's base, ours and theirs, each with the path that it has on that side."""

    entries: list[Entry | None]
    names: list[str]
    conflict: ConflictKind | None = None


class Reconciliation:
    """One three-way merge of edits; made, run once, and thrown away."""

    def __init__(
        self,
        sides: Sides,
        objects: Objects,
        attributes: Attributes,
        settle: Callable[[Text], Resolved | None] | None,
    ) -> None:
        self._sides, self._objects, self._attributes, self._settle = (
            sides,
            objects,
            attributes,
            settle,
        )
        self._edits = (sides.ours, sides.theirs)
        self._stages: dict[str, Stages] = {}
        self._conflicts: dict[str, Conflict] = {}
        self._resolutions: list[Resolution] = []
        self._results: dict[str, Entry | None] = {}

    def run(self) -> Outcome:
        for path in self._sides.theirs:
            self._at(path)
        renames = self._renames()
        self._follow_directories(renames)
        self._move_stages(renames)
        for path, stages in sorted(self._stages.items()):
            self._settle_path(path, stages)
        current = self._sides.current
        edits = {
            path: entry for path, entry in self._results.items() if current.file(path) != entry
        }
        self._check_places(edits)
        if self._conflicts:
            found = tuple(conflict for _, conflict in sorted(self._conflicts.items()))
            return Outcome({}, conflicts=found)
        return Outcome(edits, resolutions=tuple(self._resolutions))

    def _at(self, path: str) -> Stages:
        if path not in self._stages:
            ours, theirs = self._sides.ours.get(path), self._sides.theirs.get(path)
            either = ours or theirs
            base = either[0] if either else self._sides.base.file(path)
            entries = [base, ours[1] if ours else base, theirs[1] if theirs else base]
            self._stages[path] = Stages(entries, [path] * 3)
        return self._stages[path]

    def _renames(self) -> tuple[dict[str, str], dict[str, str]]:
        wanted = (self._wanted(OURS), self._wanted(THEIRS))
        ours, theirs = (
            find_renames(edits, sources, self._objects.blob) if sources else {}
            for edits, sources in zip(self._edits, wanted, strict=True)
        )
        return ours, theirs

    def _wanted(self, side: int) -> set[str]:
        """Files this side deleted whose fate matters: the other side touched them, or filled their
        directory.
        """
        mine, other = self._edits if side == OURS else self._edits[::-1]
        both = mine.keys() & other.keys()
        wanted = {path for path in both if mine[path][0] is not None and mine[path][1] is None}
        gone: set[str] = set()
        for path in self._added(THEIRS if side == OURS else OURS, mine):
            gone.update(directory for directory in parents(path) if self._is_gone(side, directory))
        if gone:
            wanted.update(
                path
                for path, (was, now) in mine.items()
                if was and not now and not gone.isdisjoint(parents(path))
            )
        return wanted

    def _added(self, side: int, other: Mapping[str, Pair]) -> Iterable[str]:
        """Files this side adds, if the other side deletes any file at all."""
        if not any(now is None for _, now in other.values()):
            return ()
        edits = self._edits[side - 1]
        return [path for path, (was, now) in edits.items() if was is None and now is not None]

    def _is_gone(self, side: int, directory: str) -> bool:
        base = self._sides.base
        if not base.is_directory(directory):
            return False
        if side == OURS:
            return not self._sides.current.is_directory(directory)
        theirs = self._sides.theirs
        if any(now and path.startswith(directory + "/") for path, (_, now) in theirs.items()):
            return False
        return all(path in theirs for path in base.files(directory))

    def _follow_directories(self, renames: tuple[dict[str, str], dict[str, str]]) -> None:
        moved = tuple(
            moved_directories(renames[side - 1], lambda d, side=side: self._is_gone(side, d))
            for side in (OURS, THEIRS)
        )
        both = moved[0].keys() & moved[1].keys()
        mine, other = ({d: to for d, to in one.items() if d not in both} for one in moved)
        for side, theirs, own in ((THEIRS, mine, other), (OURS, other, mine)):
            if not theirs:
                continue
            for path, (was, now) in self._edits[side - 1].items():
                if (
                    was is None
                    and now is not None
                    and (to := follow(path, theirs, own)) is not None
                ):
                    self._report(to, ConflictKind.DIRECTORY_RENAME, self._at(path))

    def _move_stages(self, renames: tuple[dict[str, str], dict[str, str]]) -> None:
        ours, theirs = renames
        for old in sorted(ours.keys() | theirs.keys()):
            if old in ours and old in theirs:
                self._both_renamed(old, ours[old], theirs[old])
            elif old in ours and old in self._sides.theirs:
                self._one_renamed(old, ours[old], OURS)
            elif old in theirs:
                self._one_renamed(old, theirs[old], THEIRS)

    def _both_renamed(self, old: str, ours: str, theirs: str) -> None:
        source = self._at(old)
        if ours != theirs:
            for path in (old, ours, theirs):
                self._at(path).conflict = ConflictKind.RENAME_RENAME
            return
        target = self._at(ours)
        target.entries[0], target.names[0] = source.entries[0], old
        source.entries = [None] * 3

    def _one_renamed(self, old: str, new: str, side: int) -> None:
        source, target = self._at(old), self._at(new)
        other = THEIRS if side == OURS else OURS
        deleted, collides = source.entries[other] is None, target.entries[other] is not None
        mine, others = target.entries[side], source.entries[other]
        if others is not None and mine is not None and not same_type(mine, others):
            target.entries[0], target.names[0] = source.entries[0], old
            return
        if deleted:
            target.conflict = ConflictKind.RENAME_DELETE
            if not collides:
                target.entries[0], target.names[0] = source.entries[0], old
        elif collides:
            self._merge_into(source, target, side)
        else:
            target.entries[0], target.names[0] = source.entries[0], old
            target.entries[other], target.names[other] = others, old
        source.entries = [None] * 3

    def _merge_into(self, source: Stages, target: Stages, side: int) -> None:
        """The renamed file carries the other side's edits to the place where the other side has put
        another file.
        """
        ours, theirs = source.entries[OURS], source.entries[THEIRS]
        mine = target.entries[side]
        ours, theirs = (mine, theirs) if side == OURS else (ours, mine)
        if ours is None or theirs is None:
            return
        path = target.names[side]
        merge = merge_file(
            path, (source.entries[0], ours, theirs), self._objects, self._attributes.driver(path)
        )
        if merge.entry is None:
            target.conflict = ConflictKind.RENAME_RENAME
        else:
            target.entries[side] = merge.entry

    def _settle_path(self, path: str, stages: Stages) -> None:
        base, ours, theirs = stages.entries
        if stages.conflict is not None:
            self._report(path, stages.conflict, stages)
        elif ours == theirs or theirs == base:
            self._results[path] = ours
        elif ours == base:
            self._results[path] = theirs
        elif ours is None or theirs is None:
            self._report(path, ConflictKind.MODIFY_DELETE, stages)
        elif not same_type(ours, theirs):
            self._report(path, ConflictKind.DISTINCT_TYPES, stages)
        else:
            driver = self._attributes.driver(path)
            merge = merge_file(path, (base, ours, theirs), self._objects, driver, self._settle)
            self._keep(path, stages, merge)

    def _keep(self, path: str, stages: Stages, merge: Merge) -> None:
        if merge.conflict is not None:
            self._report(path, merge.conflict, stages)
            return
        self._results[path] = merge.entry
        oids = [None if entry is None else entry.oid for entry in stages.entries]
        self._resolutions.append(Resolution(path, merge.rules, *oids))

    def _check_places(self, edits: dict[str, Entry | None]) -> None:
        """No file may end up where there is a directory, below a file, or beside its twin in
        another case.
        """
        current = self._sides.current
        for path, entry in edits.items():
            if entry is None:
                continue
            above = next((p for p in parents(path) if edits.get(p) is not None), None)
            blocker = current.blocker(path)
            if above is not None or (blocker is not None and edits.get(blocker, entry) is not None):
                self._report(above or blocker or path, ConflictKind.FILE_DIRECTORY, self._at(path))
            elif current.is_directory(path) and not self._is_emptied(path, edits):
                self._report(path, ConflictKind.FILE_DIRECTORY, self._at(path))
            twin = current.twin(path, known=current)
            if twin is not None and not self._is_emptied(twin, edits):
                self._report(path, ConflictKind.CASE_COLLISION, self._at(path))

    def _is_emptied(self, path: str, edits: dict[str, Entry | None]) -> bool:
        current = self._sides.current
        files = current.files(path) if current.is_directory(path) else (path,)
        return all(edits.get(file, True) is None for file in files)

    def _report(self, path: str, kind: ConflictKind, stages: Stages) -> None:
        versions = (self._version(n, e) for n, e in zip(stages.names, stages.entries, strict=True))
        marker_size = self._attributes.driver(path).marker_size
        self._conflicts.setdefault(path, Conflict(path, kind, *versions, marker_size=marker_size))

    def _version(self, name: str, entry: Entry | None) -> Version | None:
        if entry is None:
            return None
        data = b"" if entry.mode == GITLINK else self._objects.blob(entry.oid, name)
        return Version(name, entry, data)
