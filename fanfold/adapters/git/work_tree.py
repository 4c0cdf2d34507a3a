"""Writing single paths of the user's work tree and index, as git itself would write them."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

from fanfold.adapters.git import trees
from fanfold.adapters.git.base import folders_above
from fanfold.adapters.git.command import GitFailed, git

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fanfold.adapters.git.repository import GitRepository

_ABSENT = trees.Entry(0, "0" * 40)


class WorkTree:
    """The files and the index of a repository that is checked out."""

    def __init__(self, repository: GitRepository) -> None:
        self.repository = repository
        self._root = repository.root

    def state(self, path: str) -> trees.Entry | None:
        """What is on disk, byte for byte, as a blob's mode and id; None where there is no file."""
        found = _content(self._root / path)
        return found and trees.Entry(found[0], str(pygit2.hash(found[1])))

    def saved(self, path: str) -> trees.Entry | None:
        """As `state`, with the content written to the objects."""
        return self._save(self._root / path)

    def rendered(self, content: Mapping[str, trees.Entry | None]) -> dict[str, trees.Entry | None]:
        """The same files as they will be on disk, with the filters that `.gitattributes` asks for.

        Raises `GitFailed`.
        """
        wanted = {path: entry for path, entry in content.items() if entry is not None}
        with tempfile.TemporaryDirectory(prefix="fanfold-") as folder:
            variables = {"GIT_INDEX_FILE": f"{folder}/index"}
            self._update_index(wanted, variables)
            arguments = ("checkout-index", "--all", f"--prefix={folder}/files/")
            git(self._root, *arguments, variables=variables)
            made = {path: self._save(Path(folder, "files", path)) for path in wanted}
        return {path: made.get(path) for path in content}

    def put(
        self, files: Mapping[str, trees.Entry | None], *, made: Sequence[str] | None = None
    ) -> None:
        """Write these raw contents, None for no file.

        Of the folders left empty all are removed; with `made`, only those (outer ones first).
        """
        for path, entry in files.items():
            if entry is None:
                self._remove(path)
                self._remove_empty(folders_above(path) if made is None else ())
        self._remove_empty(reversed(made or ()))
        for path, entry in files.items():
            if entry is not None:
                data = self.repository.objects.read(entry.oid)[1]
                _write(self._root / path, entry.mode, data)

    def missing_folders(self, files: Mapping[str, trees.Entry | None]) -> tuple[str, ...]:
        """Folders that writing these files will make, outer ones first."""
        wanted = {above for path, entry in files.items() if entry for above in folders_above(path)}
        return tuple(sorted(folder for folder in wanted if not (self._root / folder).is_dir()))

    def index(self) -> dict[str, trees.Entry]:
        """The user's index, by path."""
        found: dict[str, trees.Entry] = {}
        for row in git(self._root, "ls-files", "--stage", "-z").split(b"\0"):
            if row:
                fields, name = row.split(b"\t", 1)
                mode, oid, _ = fields.split()
                found[trees.text(name)] = trees.Entry(int(mode, 8), oid.decode())
        return found

    def write_index(self, entries: Mapping[str, trees.Entry | None]) -> None:
        """Set these entries of the user's index, and no others. Raises `GitFailed`."""
        here = self.index()
        differing = {path: entry for path, entry in entries.items() if here.get(path) != entry}
        if differing:
            self._update_index(differing, {})
        with suppress(GitFailed):
            git(self._root, "update-index", "-q", "--refresh")

    def keep(self, name: str, entries: Sequence[trees.Entry]) -> None:
        """Hold blobs against `git gc` until they are released."""
        names = {f"{number:06}": entry for number, entry in enumerate(entries)}
        self.repository.keep(name, trees.write(self.repository.objects, names))

    def _save(self, place: Path) -> trees.Entry | None:
        found = _content(place)
        return found and trees.Entry(found[0], str(self.repository.objects.create_blob(found[1])))

    def _update_index(
        self, entries: Mapping[str, trees.Entry | None], variables: Mapping[str, str]
    ) -> None:
        """Removals first: a file may take the place of a folder."""
        rows = sorted(entries.items(), key=lambda row: row[1] is not None)
        stdin = b"".join(
            b"%o %s\t%s\0" % (entry.mode, entry.oid.encode(), trees.raw(path))
            for path, known in rows
            for entry in (known or _ABSENT,)
        )
        git(self._root, "update-index", "-z", "--index-info", stdin=stdin, variables=variables)

    def _remove(self, path: str) -> None:
        place = self._root / path
        if place.is_symlink() or place.is_file():
            place.unlink()

    def _remove_empty(self, folders: Iterable[str]) -> None:
        for folder in folders:
            with suppress(OSError):
                (self._root / folder).rmdir()


def _content(place: Path) -> tuple[int, bytes] | None:
    try:
        status = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(status.st_mode):
        return trees.LINK, os.fsencode(place.readlink())
    if not stat.S_ISREG(status.st_mode):
        return None
    mode = trees.EXECUTABLE if status.st_mode & stat.S_IXUSR else trees.FILE
    return mode, place.read_bytes()


def _write(place: Path, mode: int, data: bytes) -> None:
    """Replace a file as one step; an old one's permissions stay, but for the executable bits."""
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".fanfold-{secrets.token_hex(8)}")
    if mode == trees.LINK:
        fresh.symlink_to(os.fsdecode(data))
    else:
        fresh.write_bytes(data)
        known = place.lstat().st_mode if place.is_file() and not place.is_symlink() else None
        permissions = stat.S_IMODE(fresh.stat().st_mode if known is None else known)
        readers = (permissions & 0o444) >> 2
        is_executable = mode == trees.EXECUTABLE
        fresh.chmod(permissions | readers if is_executable else permissions & ~0o111)
    fresh.replace(place)
