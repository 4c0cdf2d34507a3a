"""Git trees as plain maps: read, flatten, compare and edit them without a work tree or an index."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, NamedTuple

from pygit2.enums import ObjectType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pygit2 import Repository

FILE, EXECUTABLE, LINK, SUBMODULE, DIRECTORY = 0o100644, 0o100755, 0o120000, 0o160000, 0o040000
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class Entry(NamedTuple):
    """What a tree holds under a name; `oid` in hex."""

    mode: int
    oid: str


def text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def entries(repo: Repository, tree: str) -> dict[str, Entry]:
    """The direct entries of a tree, in the tree's own order."""
    if tree == EMPTY_TREE:
        return {}
    kind, data = repo.read(tree)
    if kind != ObjectType.TREE:
        raise ValueError(f"{tree} is no tree")
    found: dict[str, Entry] = {}
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        found[text(data[space + 1 : end])] = Entry(
            int(data[at:space], 8), data[end + 1 : end + 21].hex()
        )
        at = end + 21
    return found


def flatten(repo: Repository, tree: str, prefix: str = "") -> dict[str, Entry]:
    """Every entry below `tree` that is not a directory, by path."""
    found: dict[str, Entry] = {}
    for name, entry in entries(repo, tree).items():
        if entry.mode == DIRECTORY:
            found.update(flatten(repo, entry.oid, f"{prefix}{name}/"))
        else:
            found[prefix + name] = entry
    return found


def find(repo: Repository, tree: str, path: str) -> Entry | None:
    """The entry at `path`, or None."""
    entry = Entry(DIRECTORY, tree)
    for name in path.split("/"):
        if entry.mode != DIRECTORY:
            return None
        below = entries(repo, entry.oid).get(name)
        if below is None:
            return None
        entry = below
    return entry


def edit(repo: Repository, tree: str, changes: Mapping[str, Entry | None]) -> str:
    """Write `tree` with `changes` made (None: removed); untouched directories are not even read.

    A new file replaces a directory of its name, and a directory with a new file replaces a file.
    """
    return _edit(repo, tree, changes) or write(repo, {})


def write(repo: Repository, content: Mapping[str, Entry]) -> str:
    """Write one tree object from its direct entries; gives its id in hex."""
    rows = [
        (raw(name) + (b"/" if entry.mode == DIRECTORY else b""), raw(name), entry)
        for name, entry in content.items()
    ]
    data = b"".join(
        b"%o %s\0%s" % (entry.mode, name, bytes.fromhex(entry.oid))
        for _, name, entry in sorted(rows, key=lambda row: row[0])
    )
    return str(repo.write(ObjectType.TREE, data))


def changed(
    repo: Repository, old: str, new: str, prefix: str = ""
) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Paths that differ, with both sides, in git's order; a change of type gives two rows."""
    if old == new:
        return
    before, after = entries(repo, old), entries(repo, new)
    for name in sorted({*before, *after}, key=lambda name: _sort_key(name, before, after)):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        path = prefix + name
        same_type = was and now and stat.S_IFMT(was.mode) == stat.S_IFMT(now.mode)
        if same_type and was and now and was.mode == DIRECTORY:
            yield from changed(repo, was.oid, now.oid, f"{path}/")
        elif same_type:
            yield path, was, now
        else:
            removed = [(p, e, None) for p, e in _leaves(repo, path, was)]
            added = [(p, None, e) for p, e in _leaves(repo, path, now)]
            yield from (added + removed if was and was.mode == DIRECTORY else removed + added)


def _sort_key(name: str, *sides: Mapping[str, Entry]) -> bytes:
    """Where a directory's files come among all paths."""
    found = [entry.mode for side in sides if (entry := side.get(name))]
    return raw(name) + (b"/" if set(found) == {DIRECTORY} else b"")


def _leaves(repo: Repository, path: str, entry: Entry | None) -> Iterator[tuple[str, Entry]]:
    if entry is not None and entry.mode == DIRECTORY:
        yield from flatten(repo, entry.oid, f"{path}/").items()
    elif entry is not None:
        yield path, entry


def _edit(repo: Repository, tree: str, changes: Mapping[str, Entry | None]) -> str | None:
    content = entries(repo, tree)
    below: dict[str, dict[str, Entry | None]] = {}
    for path, entry in changes.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = entry
        elif entry is None:
            content.pop(name, None)
        else:
            content[name] = entry
    for name, inner in below.items():
        here = content.get(name)
        is_directory = here is not None and here.mode == DIRECTORY
        if not is_directory and not any(inner.values()):
            continue
        edited = _edit(repo, here.oid if here and is_directory else EMPTY_TREE, inner)
        if edited is None:
            content.pop(name)
        else:
            content[name] = Entry(DIRECTORY, edited)
    return write(repo, content) if content else None
