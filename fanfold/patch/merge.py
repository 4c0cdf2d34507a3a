"""Folds patches into one tree, in order, in memory: each ends applied or conflicted, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.patch.apply import Edits, edits
from fanfold.patch.attributes import Attributes
from fanfold.patch.conflicts import Conflict
from fanfold.patch.model import Patch
from fanfold.patch.objects import Objects
from fanfold.patch.reconcile import Reconciliation, Resolution
from fanfold.patch.stages import Sides
from fanfold.patch.trees import Pair, Tree, diff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pygit2

    from fanfold.patch.content import Resolved, Text
    from fanfold.patch.model import Entry
    from fanfold.patch.pack import Pack


class Incoming(msgspec.Struct, frozen=True):
    """A gated patch, and the tree it was made against.

    `edits` as the gate gave them spare the merge from working them out once more.
    """

    id: str
    patch: Patch
    base_tree: str
    edits: Edits | None = None


class Applied(msgspec.Struct, frozen=True):
    """A patch that is in the merged tree; `tree` is the tree after it, where trees were asked for.

    `resolutions` are the files that an earlier patch had changed too. `resolved_by`: `git` when
    git's own line merge settled those, `structured` when a rule of the ladder had to, None when
    there were none.
    """

    id: str
    tree: str | None = None
    resolved_by: str | None = None
    resolutions: tuple[Resolution, ...] = ()


class Conflicted(msgspec.Struct, frozen=True):
    """A patch that left no trace in the merged tree, and why."""

    id: str
    conflicts: tuple[Conflict, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(conflict.path for conflict in self.conflicts)


class MergeResult(msgspec.Struct, frozen=True):
    """The merged tree, what became of each patch in the order given, and all new objects."""

    tree: str
    outcomes: tuple[Applied | Conflicted, ...]
    objects: Objects

    def pack(self) -> Pack:
        """Every new object, of the trees after each patch too where those were asked for."""
        return self.objects.pack()


def merge(
    repo: pygit2.Repository | Objects,
    base_tree: str,
    patches: Sequence[Incoming],
    *,
    structured: bool = False,
    trees: bool = False,
) -> MergeResult:
    """Fold `patches` into `base_tree`, in the order given; nothing is written to `repo`.

    For many calls give `Objects(repo)`, which reads each tree once. A patch made against another
    tree is merged three-way with that tree as the base. Raises `InvalidPatch` when a patch does
    not fit its own base: the gate tells that before.
    """
    folding = _Folding(repo, base_tree, structured=structured)
    outcomes: list[Applied | Conflicted] = []
    for incoming in patches:
        outcome = folding.fold(incoming)
        if trees and isinstance(outcome, Applied):
            outcome = msgspec.structs.replace(outcome, tree=folding.current.write())
        outcomes.append(outcome)
    return MergeResult(folding.current.write(), tuple(outcomes), folding.objects)


class _Folding:
    """The merged tree so far, and how it differs from each base that a patch was made against."""

    def __init__(
        self, repo: pygit2.Repository | Objects, base_tree: str, *, structured: bool
    ) -> None:
        self.objects = Objects(repo)
        self.current = Tree(self.objects, base_tree)
        self._settle = _ladder() if structured else None
        self._attributes = Attributes(Tree(self.objects, base_tree), self.objects)
        self._bases: dict[str, Tree] = {}
        self._ours: dict[str, dict[str, Pair]] = {}

    def fold(self, incoming: Incoming) -> Applied | Conflicted:
        scratch = Objects(self.objects)
        base = self._base(incoming.base_tree)
        made = incoming.edits or edits(incoming.patch, base, scratch)
        scratch.adopt(made.objects)
        changed = {path: pair for path, pair in made.changes.items() if pair[0] != pair[1]}
        sides = Sides(base, self.current, self._ours[incoming.base_tree], changed)
        outcome = Reconciliation(sides, scratch, self._attributes, self._settle).run()
        if outcome.conflicts:
            return Conflicted(incoming.id, outcome.conflicts)
        self.objects.adopt(scratch)
        self._advance(outcome.edits)
        return Applied(incoming.id, None, _resolved_by(outcome.resolutions), outcome.resolutions)

    def _base(self, oid: str) -> Tree:
        if oid not in self._bases:
            self._bases[oid] = Tree(self.objects, oid)
            self._ours[oid] = diff(self.objects, oid, self.current.write())
        return self._bases[oid]

    def _advance(self, changes: Mapping[str, Entry | None]) -> None:
        # Removals go first: a file may take the place of a directory that empties.
        for path, entry in sorted(changes.items(), key=lambda change: change[1] is not None):
            before = self.current.file(path)
            self.current.set(path, entry)
            for ours in self._ours.values():
                base = ours[path][0] if path in ours else before
                if base == entry:
                    ours.pop(path, None)
                else:
                    ours[path] = (base, entry)


def _ladder() -> Callable[[Text], Resolved | None]:
    """Imported when asked for: its parsers cost a tenth of a start."""
    from fanfold.patch.structured import settle

    return settle


def _resolved_by(resolutions: tuple[Resolution, ...]) -> str | None:
    if not resolutions:
        return None
    return "structured" if any(resolution.rules for resolution in resolutions) else "git"
