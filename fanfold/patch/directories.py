"""Directories that one side moved: where the files that the other side puts into them belong."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


def parents(path: str) -> Iterator[str]:
    """The directories above `path`, nearest first, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def moved_directories(renames: Mapping[str, str], filled: Collection[str]) -> dict[str, str | None]:
    """Where most files of each directory went; None where two places got equally many.

    Only the directories in `filled` (gone here, given new files there) and those below them count.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for source, target in renames.items():
        nearest = source.rpartition("/")[0]
        for old, new in _suggested(source, target):
            if not _within(old, filled):
                break
            if old == nearest or old in filled:
                counts[old][new] += 1
    return {old: _winner(count) for old, count in counts.items()}


def _within(directory: str, filled: Collection[str]) -> bool:
    return directory in filled or any(parent in filled for parent in parents(directory))


def _suggested(source: str, target: str) -> Iterator[tuple[str, str]]:
    """The parents and their new places, for as long as the names below are equal."""
    old, new = source.rpartition("/")[0], target.rpartition("/")[0]
    while old:
        yield old, new
        old, _, old_name = old.rpartition("/")
        new, _, new_name = new.rpartition("/")
        if old_name != new_name:
            return


def _winner(count: Counter[str]) -> str | None:
    ranked = count.most_common(2)
    if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
        return None
    return ranked[0][0]


def follow(path: str, moved: Mapping[str, str | None], own: Mapping[str, str | None]) -> str | None:
    """Where `path` would go when the other side's `moved` directories are followed; None: it stays.

    A directory that moved to one which this side (`own`) moved itself is not followed; one that
    went to two places alike gives `path` back: only a person can tell.
    """
    for directory in parents(path):
        if directory in moved:
            target = moved[directory]
            if target is None:
                return path
            if target in own:
                return None
            return f"{target}{path[len(directory) :]}".removeprefix("/")
    return None
