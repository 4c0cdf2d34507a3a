"""Brings two sets of edits of one base together, path by path, with git's verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.patch.conflicts import Conflict, ConflictKind, Version
from fanfold.patch.content import Merge, merge_file, same_type
from fanfold.patch.directories import parents
from fanfold.patch.model import GITLINK, Entry
from fanfold.patch.moves import Moves
from fanfold.patch.stages import Sides, Stages, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.patch.attributes import Attributes
    from fanfold.patch.content import Resolved, Text
    from fanfold.patch.objects import Objects


class Resolution(msgspec.Struct, frozen=True):
    """A file that both sides changed; `rules` is empty where git's line merge was enough.

    `base`, `ours` and `theirs` are the blobs it came from.
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


class Reconciliation:
    """One three-way merge of edits; made, run once, and thrown away."""

    def __init__(
        self,
        sides: Sides,
        objects: Objects,
        attributes: Attributes,
        settle: Callable[[Text], Resolved | None] | None,
    ) -> None:
        self._current = sides.current
        self._table = Table(sides)
        self._objects, self._attributes, self._settle = objects, attributes, settle
        self._moves = Moves(sides, self._table, objects.blob, self._merge_lines)
        self._touched = tuple(sides.theirs)
        self._conflicts: dict[str, Conflict] = {}
        self._resolutions: list[Resolution] = []
        self._results: dict[str, Entry | None] = {}

    def run(self) -> Outcome:
        for path in self._touched:
            self._table.at(path)
        self._moves.trace()
        for path, stages in sorted(self._table.stages.items()):
            self._settle_path(path, stages)
        edits = {p: entry for p, entry in self._results.items() if self._current.file(p) != entry}
        self._check_places(edits)
        if self._conflicts:
            found = tuple(conflict for _, conflict in sorted(self._conflicts.items()))
            return Outcome({}, conflicts=found)
        return Outcome(edits, resolutions=tuple(self._resolutions))

    def _merge_lines(self, path: str, sides: tuple[Entry | None, Entry, Entry]) -> Merge:
        return merge_file(path, sides, self._objects, self._attributes.driver(path))

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
        """No file may end up where a directory is, below a file, or beside its twin in case."""
        for path, entry in edits.items():
            if entry is None:
                continue
            blocker = self._blocker(path, edits)
            if blocker is not None:
                self._report(blocker, ConflictKind.FILE_DIRECTORY, self._table.at(path))
            twin = self._current.twin(path, known=self._current)
            if twin is not None and not self._is_emptied(twin, edits):
                self._report(path, ConflictKind.CASE_COLLISION, self._table.at(path))

    def _blocker(self, path: str, edits: dict[str, Entry | None]) -> str | None:
        above = next((parent for parent in parents(path) if edits.get(parent) is not None), None)
        if above is not None:
            return above
        blocker = self._current.blocker(path)
        if blocker is not None and blocker not in edits:
            return blocker
        if self._current.is_directory(path) and not self._is_emptied(path, edits):
            return path
        return None

    def _is_emptied(self, path: str, edits: dict[str, Entry | None]) -> bool:
        current = self._current
        files = current.files(path) if current.is_directory(path) else (path,)
        return all(edits.get(file, True) is None for file in files)

    def _report(self, path: str, kind: ConflictKind, stages: Stages) -> None:
        versions = (self._version(n, e) for n, e in zip(stages.names, stages.entries, strict=True))
        marker_size = self._attributes.driver(path).marker_size
        found = Conflict(path, kind, *versions, marker_size=marker_size)
        self._conflicts.setdefault(path, found)

    def _version(self, name: str, entry: Entry | None) -> Version | None:
        if entry is None:
            return None
        data = b"" if entry.mode == GITLINK else self._objects.blob(entry.oid, name)
        return Version(name, entry, data)
