"""The `.git` of a checkout: enough for tools that call git, nothing of the user's repository."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import CheckoutStrategy

from fanfold.adapters.git.command import git
from fanfold.adapters.git.ignore import CACHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.adapters.git.repository import GitRepository

_CONFIG = """\
[core]
	repositoryformatversion = 0
	filemode = true
	bare = false
	autocrlf = false
	eol = lf
	symlinks = true
	safecrlf = false
	hooksPath = /dev/null
[user]
	name = fanfold
	email = fanfold@localhost
[gc]
	auto = 0
[commit]
	gpgsign = false
"""
_RAW = "* -text -filter -ident -eol -working-tree-encoding\n"


def check_out(repository: GitRepository, tree: str, root: Path, exclude: Sequence[str]) -> None:
    """Fill the folder `root` with `tree`, byte for byte: no filter or hook has a say."""
    own = root / ".git"
    for folder in ("objects/pack", "refs/heads", "info"):
        (own / folder).mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/main\n")
    (own / "config").write_text(_CONFIG)
    (own / "info" / "attributes").write_text(_RAW)
    (own / "info" / "exclude").write_text("\n".join((*CACHES, *exclude, "")))
    repo = pygit2.Repository(str(own))
    repo.odb.add_disk_alternate(str(repository.object_folder))
    repo.checkout_tree(repo[tree], strategy=CheckoutStrategy.FORCE)  # pyright: ignore[reportUnknownMemberType]
    who = pygit2.Signature("fanfold", "fanfold@localhost", 0, 0)
    repo.create_commit("refs/heads/main", who, who, "The base of this attempt", repo[tree].id, [])


class Packs:
    """The objects of the trees that were checked out, no others; hard links share them."""

    def __init__(self, repository: GitRepository, folder: Path) -> None:
        self._repository, self._folder = repository, folder / "pack"
        self._packed: list[str] = []
        self._lock = threading.Lock()

    def equip(self, tree: str, root: Path) -> None:
        """Give the checkout at `root` all objects of `tree`. Raises `GitFailed`."""
        with self._lock:
            if tree not in self._packed:
                self._pack(tree)
            packs = sorted(self._folder.glob("pack-*"))
        for pack in packs:
            place = root / ".git" / "objects" / "pack" / pack.name
            if not place.exists():
                os.link(pack, place)

    def _pack(self, tree: str) -> None:
        """Pack what the packs lack, as objects of our own: git writes where it renames from."""
        self._folder.mkdir(parents=True, exist_ok=True)
        wanted = "".join(f"{line}\n" for line in (tree, *(f"^{old}" for old in self._packed)))
        git(
            Path(self._repository.git_dir),
            *("pack-objects", "--revs", "-q", "--delta-base-offset", f"{self._folder}/pack"),
            stdin=wanted.encode(),
            variables={
                "GIT_OBJECT_DIRECTORY": str(self._folder.parent),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self._repository.object_folder),
            },
        )
        self._packed.append(tree)
