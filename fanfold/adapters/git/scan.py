"""A folder that commands have worked in -> a git tree, without git's own machinery."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fanfold.adapters.git import trees
from fanfold.adapters.git.base import MAX_STORED_BYTES, check_size
from fanfold.adapters.git.confined import give_back
from fanfold.errors import TreeIncomplete, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanfold.adapters.git.base import Base
    from fanfold.adapters.git.ignore import Ignores
    from fanfold.adapters.git.repository import GitRepository

    Problems = dict[str, str]

_T = TypeVar("_T")

_RACE_NS = 50_000_000
_DEEPEST = 200


class Scanner:
    """Remembers what it has hashed by inode, size and times, so a second look costs little."""

    def __init__(self, repository: GitRepository, base: Base, root: Path) -> None:
        self._repository, self._base, self._root = repository, base, root
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}
        now = time.time_ns()
        for path, entry in base.entries.items():
            if entry.mode in (trees.FILE, trees.EXECUTABLE):
                self._remember(path, (root / path).lstat(), entry.oid, now)

    def files(self, ignores: Ignores) -> list[str]:
        """Sorted paths of the files and links that are tracked or not ignored."""
        return sorted(path for path, _ in self._walk("", ignores, {}))

    def tree(self, ignores: Ignores) -> str:
        """The folder as it is; submodules stay as they were, nested repositories count as files.

        Sockets, pipes and devices are left out. Raises `TreeIncomplete` where something cannot be
        read, for new files of more than 100 MB, and for folders in more than 200 others.
        """
        found: dict[str, trees.Entry] = {}
        problems: Problems = {}
        for path, item in self._walk("", ignores, problems):
            try:
                found[path] = self._entry(path, item)
            except WorkspaceError as error:
                problems[path] = str(error)
        kept = self._base.entries
        gone = kept.keys() - found.keys() - self._base.submodules
        if problems:
            gone = {path for path in gone if not _is_within(path, problems)}
        changes: dict[str, trees.Entry | None] = dict.fromkeys(gone)
        changes |= {path: entry for path, entry in found.items() if kept.get(path) != entry}
        tree = trees.edit(self._repository.objects, self._base.tree, changes)
        if problems:
            raise TreeIncomplete(_summed_up(problems), tree)
        return tree

    def _walk(
        self, folder: str, ignores: Ignores, problems: Problems
    ) -> Iterator[tuple[str, os.DirEntry[str]]]:
        try:
            items = self._listed(folder)
        except WorkspaceError as error:
            problems[folder] = str(error)
            return
        for item in items:
            path = f"{folder}/{item.name}" if folder else item.name
            if item.name.lower() == ".git" or path in self._base.submodules:
                continue
            if item.is_dir(follow_symlinks=False):
                known = path in self._base.folders
                if known or not ignores.ignored(path, is_folder=True):
                    yield from self._walk(path, ignores, problems)
            elif _is_storable(item) and (path in self._base.entries or not ignores.ignored(path)):
                yield path, item

    def _listed(self, folder: str) -> list[os.DirEntry[str]]:
        if folder.count("/") > _DEEPEST:
            raise WorkspaceError(f"folder {folder[:100]!r}… lies in more than {_DEEPEST} others")
        return self._regained(folder, lambda: _scanned(self._root / folder))

    def _entry(self, path: str, item: os.DirEntry[str]) -> trees.Entry:
        repo = self._repository.objects
        if item.is_symlink():
            target = self._regained(path, lambda: str(Path(item.path).readlink()))
            return trees.Entry(trees.LINK, str(repo.create_blob(trees.raw(target))))
        status = self._regained(path, lambda: item.stat(follow_symlinks=False))
        mode = trees.EXECUTABLE if status.st_mode & stat.S_IXUSR else trees.FILE
        known = self._known.get(path)
        if known and known[0] == _fingerprint(status):
            return trees.Entry(mode, known[1])
        if path not in self._base.entries:
            check_size(path, status.st_size, MAX_STORED_BYTES)
        now = time.time_ns()
        oid = str(repo.create_blob(self._regained(path, Path(item.path).read_bytes)))
        self._remember(path, status, oid, now)
        return trees.Entry(mode, oid)

    def _regained(self, path: str, look: Callable[[], _T]) -> _T:
        """What `look` sees; commands may have taken the right to see it from their own files."""
        try:
            try:
                return look()
            except PermissionError:
                give_back(self._root, path)
                return look()
        except OSError as error:
            raise WorkspaceError(f"{path!r} cannot be read: {error.strerror}") from error

    def _remember(self, path: str, status: os.stat_result, oid: str, now: int) -> None:
        """Only what has been still for a while: a later write could leave the same times."""
        if status.st_ctime_ns < now - _RACE_NS:
            self._known[path] = (_fingerprint(status), oid)
        else:
            self._known.pop(path, None)


def _is_storable(item: os.DirEntry[str]) -> bool:
    return item.is_symlink() or item.is_file(follow_symlinks=False)


def _fingerprint(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _scanned(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return sorted(found, key=lambda item: item.name)


def _is_within(path: str, folders: Problems) -> bool:
    above = [path[:end] for end, letter in enumerate(path) if letter == "/"]
    return any(place in folders for place in ("", *above, path))


def _summed_up(problems: Problems) -> str:
    first, *others = problems.values()
    return f"{first}; and {len(others)} more" if others else first
