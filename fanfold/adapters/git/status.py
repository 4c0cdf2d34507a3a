"""What HEAD is, and how the work tree differs from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pygit2
from pygit2.enums import RepositoryState

from fanfold.adapters.git import trees
from fanfold.adapters.git.command import git

if TYPE_CHECKING:
    from pathlib import Path

OWN_FOLDER = ".ai-workspace/"
_STATUS = ("status", "--porcelain=v2", "-z", "--no-renames", "--ignore-submodules=dirty")
_OPERATIONS = {
    RepositoryState.MERGE: "merge",
    RepositoryState.REVERT: "revert",
    RepositoryState.REVERT_SEQUENCE: "revert",
    RepositoryState.CHERRYPICK: "cherry-pick",
    RepositoryState.CHERRYPICK_SEQUENCE: "cherry-pick",
    RepositoryState.BISECT: "bisect",
    RepositoryState.REBASE: "rebase",
    RepositoryState.REBASE_INTERACTIVE: "rebase",
    RepositoryState.REBASE_MERGE: "rebase",
    RepositoryState.APPLY_MAILBOX: "am",
    RepositoryState.APPLY_MAILBOX_OR_REBASE: "am",
}


class Change(msgspec.Struct, frozen=True):
    """A path that differs: staged against HEAD, or modified against the index."""

    path: str
    staged: bool = False
    modified: bool = False
    untracked: bool = False
    unmerged: bool = False


class Head(msgspec.Struct, frozen=True):
    """The commit a run starts from; `branch` is None when HEAD is detached.

    `modified`, `staged` and `untracked` count files; `operation` is a merge, rebase, … in progress.
    """

    commit: str
    branch: str | None
    modified: int = 0
    staged: int = 0
    untracked: int = 0
    unmerged: int = 0
    operation: str | None = None
    shallow: bool = False
    submodules: tuple[str, ...] = ()
    lfs: bool = False

    @property
    def dirty(self) -> bool:
        return bool(self.modified or self.staged or self.untracked or self.unmerged)


def read_head(repo: pygit2.Repository, root: Path) -> Head:
    """The counts are zero for a bare repository; fanfold's own folder never counts as untracked."""
    changes = [] if repo.is_bare else read_changes(root)
    tree = str(repo.head.peel(pygit2.Tree).id)
    attributes = trees.find(repo, tree, ".gitattributes")
    return Head(
        commit=str(repo.head.target),
        branch=None if repo.head_is_detached else repo.head.shorthand,
        modified=sum(change.modified for change in changes),
        staged=sum(change.staged for change in changes),
        untracked=sum(change.untracked for change in changes),
        unmerged=sum(change.unmerged for change in changes),
        operation=_OPERATIONS.get(RepositoryState(repo.state())),
        shallow=repo.is_shallow,
        submodules=_submodules(repo, tree),
        lfs=attributes is not None and b"filter=lfs" in repo.read(attributes.oid)[1],
    )


def read_changes(root: Path) -> list[Change]:
    """Every path of the work tree or the index that differs from HEAD; ignored ones left out."""
    told = git(root, *_STATUS, "--untracked-files=all")
    found = (_change(trees.text(row)) for row in told.split(b"\0") if row)
    return [c for c in found if not (c.untracked and c.path.startswith(OWN_FOLDER))]


def _change(row: str) -> Change:
    """One record of `git status --porcelain=v2 -z`: `1 XY … path`, `u XY … path` or `? path`."""
    kind = row[0]
    if kind == "?":
        return Change(row[2:], untracked=True)
    if kind == "u":
        return Change(row.split(" ", 10)[10], unmerged=True)
    fields = row.split(" ", 8)
    return Change(fields[8], staged=fields[1][0] != ".", modified=fields[1][1] != ".")


def _submodules(repo: pygit2.Repository, tree: str) -> tuple[str, ...]:
    """Paths of the gitlinks."""
    found = trees.flatten(repo, tree).items()
    return tuple(path for path, entry in found if entry.mode == trees.SUBMODULE)
