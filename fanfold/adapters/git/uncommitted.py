"""The work tree as it is, as a tree object, without a trace in the user's index."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.adapters.git.command import GitFailed, git
from fanfold.adapters.git.status import OWN_FOLDER, read_changes
from fanfold.adapters.git.trees import raw
from fanfold.errors import InvalidRepository

if TYPE_CHECKING:
    import pygit2


def snapshot_uncommitted(repo: pygit2.Repository, root: Path) -> str:
    """Write all tracked changes and all new files that are not ignored as a tree on top of HEAD.

    Nested repositories and fanfold's own folder are left out. Raises `InvalidRepository` while
    paths are unmerged, or where a clean filter (such as git-lfs) fails.
    """
    changes = read_changes(root)
    unmerged = [change.path for change in changes if change.unmerged]
    if unmerged:
        raise InvalidRepository(f"unmerged paths {unmerged[:5]!r}: resolve and commit them first")
    changed = [c.path for c in changes if c.path[-1] != "/" and not c.path.startswith(OWN_FOLDER)]
    with tempfile.TemporaryDirectory(prefix="fanfold-index-") as folder:
        index = Path(folder) / "index"
        users = Path(repo.path) / "index"
        if users.exists():
            shutil.copy2(users, index)
        variables = {"GIT_INDEX_FILE": str(index)}
        try:
            stdin = b"".join(raw(path) + b"\0" for path in changed)
            words = ("update-index", "--add", "--remove", "-z", "--stdin")
            git(root, *words, stdin=stdin, variables=variables)
            return git(root, "write-tree", variables=variables).decode().strip()
        except GitFailed as error:
            raise InvalidRepository(
                f"cannot snapshot the work tree: {error.stderr.strip().splitlines()[-1]}"
            ) from error
