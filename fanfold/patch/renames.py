"""Finds which deleted file became which new one: same content, same name, most alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from fanfold.patch.model import EXECUTABLE, REGULAR
from fanfold.patch.similarity import FULL, HALF, Similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fanfold.patch.model import Entry
    from fanfold.patch.trees import Pair

EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
SAME_NAME_LEAST = HALF + (FULL - HALF) // 2
MAX_COMPARED = 50_000
MAX_IDENTICAL = 1000
FILES = frozenset((REGULAR, EXECUTABLE))


def find_renames(
    side: Mapping[str, Pair], wanted: set[str], read: Callable[[str], bytes]
) -> dict[str, str]:
    """Renames in one side's edits, as old path → new path.

    Only the `wanted` sources are sought by likeness.
    """
    old = {p: a for p, (a, b) in sorted(side.items()) if a and not b and a.oid != EMPTY_BLOB}
    new = {p: b for p, (a, b) in sorted(side.items()) if b and not a and b.oid != EMPTY_BLOB}
    renames: dict[str, str] = {}
    _same_content(old, new, renames)
    old = {path: entry for path, entry in old.items() if path in wanted and entry.mode in FILES}
    new = {path: entry for path, entry in new.items() if entry.mode in FILES}
    similarity = Similarity(read)
    guesses = _directory_guesses(renames)
    _same_name(old, new, renames, guesses, similarity)
    _most_alike(old, new, renames, similarity)
    return renames


def _take(
    old: dict[str, Entry], new: dict[str, Entry], renames: dict[str, str], pair: tuple[str, str]
) -> None:
    source, target = pair
    renames[source] = target
    del old[source], new[target]


def _same_content(old: dict[str, Entry], new: dict[str, Entry], renames: dict[str, str]) -> None:
    sources: dict[str, list[str]] = defaultdict(list)
    for path, entry in old.items():
        sources[entry.oid].append(path)
    for target, entry in list(new.items()):
        fit = [
            source
            for source in sources[entry.oid][:MAX_IDENTICAL]
            if source in old
            and (old[source].mode == entry.mode or {old[source].mode, entry.mode} <= FILES)
        ]
        if fit:
            best = max(fit, key=lambda source: _name(source) == _name(target))
            _take(old, new, renames, (best, target))


def _directory_guesses(renames: Mapping[str, str]) -> dict[str, str]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for source, target in renames.items():
        counts[_parent(source)][_parent(target)] += 1
    return {directory: count.most_common(1)[0][0] for directory, count in counts.items()}


def _same_name(
    old: dict[str, Entry],
    new: dict[str, Entry],
    renames: dict[str, str],
    guesses: Mapping[str, str],
    similarity: Similarity,
) -> None:
    olds, news = Counter(map(_name, old)), Counter(map(_name, new))
    unique = {_name(path): path for path in new}
    for source in list(old):
        name = _name(source)
        if olds[name] == 1 and news[name] == 1:
            target = unique[name]
        else:
            target = (
                f"{guesses[_parent(source)]}/{name}".lstrip("/")
                if _parent(source) in guesses
                else ""
            )
        if target not in new:
            continue
        if similarity.score(old[source].oid, new[target].oid, SAME_NAME_LEAST) >= SAME_NAME_LEAST:
            _take(old, new, renames, (source, target))


def _most_alike(
    old: dict[str, Entry], new: dict[str, Entry], renames: dict[str, str], similarity: Similarity
) -> None:
    if len(old) * len(new) > MAX_COMPARED:
        return
    scored = [
        (-score, _name(source) != _name(target), target, source)
        for target, entry in new.items()
        for source, was in old.items()
        if (score := similarity.score(was.oid, entry.oid)) >= HALF
    ]
    for _, _, target, source in sorted(scored):
        if source in old and target in new:
            _take(old, new, renames, (source, target))


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
