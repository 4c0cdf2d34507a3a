"""Trees that were made here and published nowhere, as packs for who has nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import ObjectType

from fanfold.adapters.git import trees
from fanfold.adapters.git.base import Base
from fanfold.adapters.git.veiled import veil
from fanfold.patch.pack import write_pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import ArtifactStore


class TreePacks:
    """Gives the keys, without their suffixes, of packs that hold a tree together.

    `published` are those of all that others made; what only this repository has is put below
    `home`. Of a tree from which files are hidden no other pack is told, as those hold the files.
    """

    def __init__(
        self,
        repository: GitRepository,
        artifacts: ArtifactStore,
        published: Callable[[], list[str]],
        home: str,
    ) -> None:
        self._repository, self._artifacts = repository, artifacts
        self._published, self._home = published, home

    def __call__(self, tree: str, hide: Sequence[str]) -> tuple[str, list[str]]:
        """The tree without what `hide` matches, and its packs."""
        visible = self._without(hide, tree) if hide else tree
        known = self._published() if visible == tree else []
        own = dict.fromkeys(self._objects(visible, every=visible != tree))
        if not own:
            return visible, known
        key = f"{self._home}/{visible}"
        if not self._artifacts.exists(f"{key}.idx"):
            pack = write_pack({oid: self._content(oid) for oid in own})
            self._artifacts.put(f"{key}.pack", pack.data)
            self._artifacts.put(f"{key}.idx", pack.index)
        return visible, [*known, key]

    def _without(self, hide: Sequence[str], tree: str) -> str:
        return veil(self._repository, Base(self._repository.objects, tree), hide)[0]

    def _objects(self, tree: str, *, every: bool) -> Iterator[str]:
        """All that lies in the tree, or what of it is in no pack; a packed folder is so whole."""
        if not (every or self._is_loose(tree)) or tree not in self._repository.objects:
            return
        yield tree
        for entry in trees.entries(self._repository.objects, tree).values():
            if entry.mode == trees.DIRECTORY:
                yield from self._objects(entry.oid, every=every)
            elif entry.mode != trees.SUBMODULE and (every or self._is_loose(entry.oid)):
                yield entry.oid

    def _is_loose(self, oid: str) -> bool:
        return (self._repository.object_folder / oid[:2] / oid[2:]).exists()

    def _content(self, oid: str) -> tuple[str, bytes]:
        found = self._repository.objects[pygit2.Oid(hex=oid)]
        kind = "tree" if found.type == ObjectType.TREE else "blob"
        return kind, found.read_raw()
