"""What keeps a result from being applied: an unfinished merge, or the user's own changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fanfold.adapters.git.apply_record import record_path
from fanfold.adapters.git.base import folders_above
from fanfold.adapters.git.command import git
from fanfold.adapters.git.status import Head, read_changes
from fanfold.adapters.git.trees import Entry, text
from fanfold.errors import ApplyRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository


def refuse_unready(repository: GitRepository, head: Head, run: str) -> None:
    """Raises `ApplyRefused` during a merge or rebase, and for a run that is applied already."""
    if head.operation or head.unmerged:
        raise ApplyRefused(f"a {head.operation or 'merge'} is in progress: finish or abort it", ())
    if record_path(repository.root, run).exists():
        raise ApplyRefused(f"run {run} is applied already: `fanfold apply {run} --undo` first", ())


def refuse_overlaps(
    root: Path, changes: Mapping[str, Entry | None], included: AbstractSet[str]
) -> None:
    """Raises `ApplyRefused` with the paths where the user has something that no commit holds.

    `included` are the paths whose uncommitted change the result contains.
    """
    in_the_way = {*_uncommitted(root, changes), *_unknown(root, changes)} - included
    if in_the_way:
        raise ApplyRefused(
            "your own changes are in the way: commit, stash or move them first", sorted(in_the_way)
        )
    hidden = sorted(_hidden(root) & changes.keys())
    if hidden:
        raise ApplyRefused("hidden by sparse checkout or assume-unchanged: show them first", hidden)


def _uncommitted(root: Path, changes: Mapping[str, Entry | None]) -> Iterator[str]:
    for change in read_changes(root):
        if not change.untracked and change.path in changes:
            yield change.path


def _unknown(root: Path, changes: Mapping[str, Entry | None]) -> Iterator[str]:
    """What lies, untracked or ignored, where a file of the result must come."""
    tracked = {text(row) for row in git(root, "ls-files", "-z").split(b"\0") if row}
    for path, entry in changes.items():
        if entry is None or path in tracked:
            continue
        place = root / path
        if place.is_dir() and not place.is_symlink():
            yield from (found for found in _files_below(root, path) if found not in changes)
        elif os.path.lexists(place):
            yield path
        for folder in folders_above(path):
            above = root / folder
            is_folder = above.is_dir() and not above.is_symlink()
            if os.path.lexists(above) and not is_folder and folder not in changes:
                yield folder


def _files_below(root: Path, folder: str) -> Iterator[str]:
    for place in sorted((root / folder).rglob("*")):
        if place.is_symlink() or not place.is_dir():
            yield place.relative_to(root).as_posix()


def _hidden(root: Path) -> set[str]:
    """Paths whose state on disk git was told not to look at."""
    rows = git(root, "ls-files", "-v", "-z").split(b"\0")
    return {text(row[2:]) for row in rows if row and (row[:1] == b"S" or row[:1].islower())}
