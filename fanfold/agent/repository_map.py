"""The repository on one small page: its files, and what the most used of them define."""

from __future__ import annotations

import re
from collections import Counter
from posixpath import dirname
from typing import TYPE_CHECKING

from fanfold.agent.symbols import has_symbols, symbols
from fanfold.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fanfold.agent.symbols import Symbol

    Read = Callable[[str], bytes]

BUDGET = 3_000
MOST_FILES, MOST_BYTES = 400, 2_000_000
TESTS = re.compile(r"(?:^|/)(?:tests?|testing|__tests__|spec)/|(?:^|/)test_|[._-](?:test|spec)\.")
# Names that are hardly words of prose.
_NAME = re.compile(rb"\b(?:[A-Za-z]+(?:_[A-Za-z0-9]+)+|[a-z]+[A-Z]\w*|[A-Z]\w{4,})\b")
_PATH = re.compile(r"[\w./@+-]+")
SHARE_OF_PATHS, LONGEST_LINE, MOST_KNOWN = 3, 300, 8


def unreadable(path: str) -> bytes:
    """Stands for files that are not at hand."""
    raise WorkspaceError(f"{path!r} is not at hand")


class RepositoryMap:
    """The map of the files at `paths`, which `read` gives; the same for the same files.

    `tree` names their contents, "" where nothing does.
    """

    def __init__(self, paths: Sequence[str], read: Read, tree: str = "") -> None:
        self._paths, self._read, self._tree = paths, read, tree

    @property
    def shared(self) -> str:
        """All paths where they fit a third of the page, else folders with counts; then definitions
        of the files that others use most.
        """
        listing = _listing(self._paths, BUDGET // SHARE_OF_PATHS)
        room = BUDGET - len(listing) - 2
        return "\n\n".join(part for part in (listing, _fitting(self._ranked, room)) if part)

    def for_task(self, text: str) -> str:
        """What `shared` has no room for: definitions of the files that a task names and of those
        beside them; where it names none, more of the whole repository's.
        """
        known = set(self._paths)
        words = (word.rstrip(".") for word in _PATH.findall(text))
        named = [path for path in dict.fromkeys(words) if path in known]
        lines = _near(self._paths, named, self._read) if named else self._ranked
        shown = set(self.shared.split("\n"))
        return _fitting((line for line in lines if line not in shown), BUDGET)

    @property
    def _ranked(self) -> tuple[str, ...]:
        """Worked out once for the attempts of a wave, who start from the same tree."""
        key = (self._tree, hash(tuple(self._paths)))
        if key not in _KNOWN:
            while len(_KNOWN) >= MOST_KNOWN:
                _KNOWN.pop(next(iter(_KNOWN)), None)
            lines = tuple(_ranked(self._paths, self._read))
            if not self._tree:
                return lines
            _KNOWN[key] = lines
        return _KNOWN[key]


_KNOWN: dict[tuple[str, int], tuple[str, ...]] = {}


def _near(paths: Sequence[str], named: Sequence[str], read: Read) -> Iterator[str]:
    folders = {dirname(path) for path in named}
    beside = [path for path in paths if dirname(path) in folders and path not in named]
    wanted = [path for path in (*named, *beside) if has_symbols(path)][:MOST_FILES]
    return (_line(path, symbols(path, _bytes(read, path))) for path in wanted)


def _listing(paths: Sequence[str], budget: int) -> str:
    every = "\n".join(paths)
    if len(every) <= budget:
        return every
    best = f"{len(paths)} files"
    for depth in range(1, 12):
        text = _at_depth(paths, depth)
        if len(text) > budget:
            break
        best = text
    return best


def _at_depth(paths: Sequence[str], depth: int) -> str:
    counts: Counter[str] = Counter()
    for path in paths:
        parts = path.split("/")
        counts["/".join(parts[:depth]) + ("/" if len(parts) > depth else "")] += 1
    return "\n".join(
        f"{name} ({count} files)" if name.endswith("/") else name
        for name, count in sorted(counts.items())
    )


def _ranked(paths: Sequence[str], read: Read) -> Iterator[str]:
    """Lines of definitions, the files whose names others mention most first; tests not at all."""
    contents = _contents(paths, read)
    mentions = Counter(word for data in contents.values() for word in set(_NAME.findall(data)))
    found = {p: symbols(p, data) for p, data in contents.items() if not TESTS.search(p)}
    homes = Counter(symbol.name for each in found.values() for symbol in each)
    lines: list[tuple[int, str, str]] = []
    for path, each in found.items():
        own = {s.name.encode() for s in each if homes[s.name] == 1}
        uses = sum(mentions[name] - 1 for name in own if name in mentions)
        if each:
            lines.append((-uses, path, _line(path, each)))
    return (line for _, _, line in sorted(lines))


def _contents(paths: Sequence[str], read: Read) -> dict[str, bytes]:
    """The files of known languages, those nearest to the root first, within bounds."""
    known = sorted(filter(has_symbols, paths), key=lambda path: (path.count("/"), path))
    contents: dict[str, bytes] = {}
    left = MOST_BYTES
    for path in known[:MOST_FILES]:
        data = _bytes(read, path)
        if len(data) <= left:
            contents[path] = data
            left -= len(data)
    return contents


def _bytes(read: Read, path: str) -> bytes:
    try:
        return read(path)
    except WorkspaceError:
        return b""


def _line(path: str, found: Sequence[Symbol]) -> str:
    line = f"{path}: {', '.join(map(str, found))}" if found else ""
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE].rpartition(', ')[0]}, …"


def _fitting(lines: Iterable[str], budget: int) -> str:
    """As many whole lines as fit."""
    kept: list[str] = []
    for line in filter(None, lines):
        if len(line) + 1 <= budget:
            kept.append(line)
            budget -= len(line) + 1
        if budget < 40:
            break
    return "\n".join(kept)
