"""What workspaces start from: the listing of a tree, read once and shared by all of them."""

from __future__ import annotations

import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from fanfold.adapters.git import trees
from fanfold.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pygit2 import Repository

MAX_FILE_BYTES = 5_000_000
MAX_STORED_BYTES = 100_000_000


class Base:
    """A tree's entries by path, and its folders."""

    def __init__(self, repo: Repository, tree: str) -> None:
        self.tree = tree
        self.entries = {p: _canonical(e) for p, e in trees.flatten(repo, tree).items()}
        self.folders = {folder for path in self.entries for folder in folders_above(path)}
        self.submodules = {
            path for path, entry in self.entries.items() if entry.mode == trees.SUBMODULE
        }


def _canonical(entry: trees.Entry) -> trees.Entry:
    """Old trees hold modes such as 100664, which a checkout does not show."""
    if not stat.S_ISREG(entry.mode):
        return entry
    executable = entry.mode & stat.S_IXUSR
    return entry._replace(mode=trees.EXECUTABLE if executable else trees.FILE)


def folders_above(path: str) -> Iterator[str]:
    """The folders that `path` lies in, the nearest first, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def check_path(path: str) -> None:
    """Raises `WorkspaceError` for a path that is not cleanly relative, or that enters `.git`."""
    parts = PurePosixPath(path).parts
    clean = "/".join(parts) == path and path and path[0] != "/" and "\0" not in path
    if not clean or ".." in parts:
        raise WorkspaceError(f"{path!r} is not a plain path relative to the project's root")
    if any(part.lower() == ".git" for part in parts):
        raise WorkspaceError(f"{path!r} lies in .git, which is not part of the project")


def check_size(path: str, size: int, limit: int) -> None:
    """Raises `WorkspaceError` above `limit` bytes."""
    if size > limit:
        raise WorkspaceError(f"{path!r} has {size} bytes; the limit for one file is {limit}")
