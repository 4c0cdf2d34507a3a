"""A tree read and edited by path; only the directories it touches are loaded and written."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from fanfold.patch.model import TREE, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.patch.objects import Objects

Pair = tuple[Entry | None, Entry | None]


def folded(name: str) -> str:
    """The name as a file system sees it that ignores case and Unicode form."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


class _Directory:
    """A directory's entries, its opened sub-directories, and its names by folded form."""

    __slots__ = ("entries", "folds", "opened", "stale")

    def __init__(self, entries: dict[str, Entry]) -> None:
        self.entries = entries
        self.opened: dict[str, _Directory] = {}
        self.folds: dict[str, set[str]] | None = None
        self.stale = False

    def twins(self, name: str) -> set[str]:
        if self.folds is None:
            self.folds = {}
            for other in self.entries:
                self.folds.setdefault(folded(other), set()).add(other)
        return self.folds.get(folded(name), set()) - {name}

    def put(self, name: str, entry: Entry) -> None:
        if self.folds is not None and name not in self.entries:
            self.folds.setdefault(folded(name), set()).add(name)
        self.entries[name] = entry
        self.stale = True

    def drop(self, name: str) -> None:
        if self.entries.pop(name, None) is not None and self.folds is not None:
            self.folds[folded(name)].discard(name)
        self.opened.pop(name, None)
        self.stale = True


class Tree:
    """A tree of `objects` with edits on top; paths are `/`-separated, "" is the root."""

    def __init__(self, objects: Objects, oid: str) -> None:
        self._objects = objects
        self._oid = oid
        self._root = _Directory(objects.tree(oid))

    def get(self, path: str) -> Entry | None:
        """The entry at `path`, or None; a directory's oid is that before its edits."""
        parent, _, name = path.rpartition("/")
        directory = self._open(parent)
        return None if directory is None else directory.entries.get(name)

    def is_directory(self, path: str) -> bool:
        return path == "" or ((entry := self.get(path)) is not None and entry.mode == TREE)

    def file(self, path: str) -> Entry | None:
        """The entry at `path` unless it is a directory."""
        entry = self.get(path)
        return None if entry is None or entry.mode == TREE else entry

    def blocker(self, path: str) -> str | None:
        """The first proper prefix of `path` that is there and is no directory."""
        directory, prefix = self._root, ""
        for name in path.split("/")[:-1]:
            prefix = f"{prefix}/{name}" if prefix else name
            entry = directory.entries.get(name)
            if entry is None:
                return None
            if entry.mode != TREE:
                return prefix
            directory = self._child(directory, name, prefix)
        return None

    def twin(self, path: str, known: Tree) -> str | None:
        """A path here that differs from `path`, or a directory of it, in case or Unicode form only.

        Names that `known` has are not looked at.
        """
        directory: _Directory | None = self._root
        prefix = ""
        for name in path.split("/"):
            if directory is None:
                return None
            if known.get(prefix + name) is None and (twins := directory.twins(name)):
                return f"{prefix}{min(twins)}"
            prefix += name + "/"
            entry = directory.entries.get(name)
            is_directory = entry is not None and entry.mode == TREE
            directory = self._child(directory, name, prefix[:-1]) if is_directory else None
        return None

    def files(self, path: str = "") -> Iterator[str]:
        """Paths of all that is no directory, below the directory `path`."""
        directory = self._open(path)
        for name, entry in list(directory.entries.items()) if directory else ():
            inner = f"{path}/{name}" if path else name
            if entry.mode == TREE:
                yield from self.files(inner)
            else:
                yield inner

    def set(self, path: str, entry: Entry | None) -> None:
        """Put or remove a file; directories come with their first file and go with their last."""
        parents: list[tuple[_Directory, str]] = []
        directory = self._root
        *above, name = path.split("/")
        prefix = ""
        for part in above:
            prefix = f"{prefix}/{part}" if prefix else part
            directory.stale = True
            if part not in directory.entries or directory.entries[part].mode != TREE:
                if entry is None:
                    return
                directory.put(part, Entry(TREE, ""))
                directory.opened[part] = _Directory({})
            parents.append((directory, part))
            directory = self._child(directory, part, prefix)
        if entry is not None:
            directory.put(name, entry)
            return
        directory.drop(name)
        while parents and not directory.entries:
            directory, name = parents.pop()
            directory.drop(name)

    def write(self) -> str:
        """Put the edited directories into the objects; gives the root's oid."""
        if self._root.stale:
            self._oid = self._write(self._root)
        return self._oid

    def _write(self, directory: _Directory) -> str:
        for name, child in directory.opened.items():
            if child.stale:
                directory.entries[name] = Entry(TREE, self._write(child))
        directory.stale = False
        return self._objects.put_tree(directory.entries)

    def _open(self, path: str) -> _Directory | None:
        directory, prefix = self._root, ""
        for name in path.split("/") if path else ():
            prefix = f"{prefix}/{name}" if prefix else name
            entry = directory.entries.get(name)
            if entry is None or entry.mode != TREE:
                return None
            directory = self._child(directory, name, prefix)
        return directory

    def _child(self, directory: _Directory, name: str, path: str) -> _Directory:
        child = directory.opened.get(name)
        if child is None:
            child = _Directory(self._objects.tree(directory.entries[name].oid, path))
            directory.opened[name] = child
        return child


def diff(objects: Objects, old: str, new: str) -> dict[str, Pair]:
    """What differs between two trees: path → (old entry, new entry), files only.

    Equal directories are skipped unread.
    """
    pairs: dict[str, Pair] = {}
    _diff(objects, Entry(TREE, old), Entry(TREE, new), "", pairs)
    return pairs


def _diff(
    objects: Objects, old: Entry | None, new: Entry | None, prefix: str, pairs: dict[str, Pair]
) -> None:
    before = objects.tree(old.oid, prefix) if old is not None else {}
    after = objects.tree(new.oid, prefix) if new is not None else {}
    for name in before.keys() | after.keys():
        one, two = before.get(name), after.get(name)
        if one == two:
            continue
        path = prefix + name
        one_dir, two_dir = (side if side and side.mode == TREE else None for side in (one, two))
        if one_dir is not None or two_dir is not None:
            _diff(objects, one_dir, two_dir, path + "/", pairs)
        one_file, two_file = (None if side and side.mode == TREE else side for side in (one, two))
        if one_file is not None or two_file is not None:
            pairs[path] = (one_file, two_file)
