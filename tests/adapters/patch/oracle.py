"""git's own verdict on a merge, from `git merge-tree`, with the base's attributes in force."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pygit2

from tests.adapters.patch.repos import run

BESIDE = re.compile(r"~(?:ours|theirs|[0-9a-f]{40}|refs_[a-z_]+)(?:_\d+)?$")


class Verdict(NamedTuple):
    """A tree where git is clean; else the conflicted paths, `name~side` taken back to the name.

    A directory that was split evenly is a conflict without a path.
    """

    tree: str | None
    paths: tuple[str, ...]


def git_merge(repo: pygit2.Repository, base: str, ours: str, theirs: str) -> Verdict:
    """Merge two trees over a base tree."""
    attributes = run(repo, "ls-tree", base, ".gitattributes")
    text = run(repo, "show", f"{base}:.gitattributes") if attributes else b""
    info = Path(repo.path) / "info" / "attributes"
    info.parent.mkdir(exist_ok=True)
    info.write_bytes(text)
    root = _commit(repo, base)
    sides = [_commit(repo, tree, root) for tree in (ours, theirs)]
    out = run(repo, "merge-tree", "--write-tree", "-z", "--name-only", "--messages", *sides)
    merged, _, messages = out.decode("utf-8", "surrogateescape").partition("\0\0")
    tree, *paths = merged.rstrip("\0").split("\0")
    names = tuple(sorted({BESIDE.sub("", path) for path in paths}))
    return Verdict(None if names or "CONFLICT" in messages else tree, names)


def _commit(repo: pygit2.Repository, tree: str, *parents: str) -> str:
    who = pygit2.Signature("a", "a@example.org", 0)
    return str(repo.create_commit(None, who, who, "m", tree, list(parents)))
