"""Which paths each of the last commits changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.git.command import git

if TYPE_CHECKING:
    from pathlib import Path

MOST = 400
START = "\x01"


def changed_paths(root: Path, commit: str) -> list[frozenset[str]]:
    """Of the last 400 commits up to `commit`, merges left out, the paths of each.

    Raises `GitFailed`, or `InvalidRepository` where there is no git.
    """
    limits = ("--no-merges", "--no-renames", f"--max-count={MOST}")
    told = git(root, "log", *limits, "--name-only", "-z", "--format=%x01", commit, "--")
    commits = told.decode("utf-8", "surrogateescape").split(START)[1:]
    return [frozenset(filter(None, each.strip("\0\n").split("\0"))) for each in commits]
