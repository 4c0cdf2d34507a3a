"""A linked work tree in which a person edits a tree, apart from their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.git.command import git

if TYPE_CHECKING:
    from pathlib import Path


def add_work_tree(root: Path, folder: Path, commit: str, tree: str) -> None:
    """Check `tree` out in `folder`, as changes on top of `commit` that are not committed.

    Raises `GitFailed`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    git(root, "worktree", "add", "--quiet", "--detach", "--no-checkout", str(folder), commit)
    git(folder, "read-tree", "--reset", "-u", tree)
    git(folder, "reset", "--quiet")


def written_tree(folder: Path) -> tuple[str, str]:
    """The tree that `folder` was made from, and that of its files as they are now."""
    git(folder, "add", "--all")
    base = git(folder, "rev-parse", "HEAD^{tree}").decode().strip()
    return base, git(folder, "write-tree").decode().strip()


def remove_work_tree(root: Path, folder: Path) -> None:
    """Remove it with all that was changed in it. Raises `GitFailed`."""
    git(root, "worktree", "remove", "--force", str(folder))
