"""Git objects in memory, laid over those of a repository that is only ever read."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pygit2

from fanfold.errors import InvalidPatch
from fanfold.patch.model import TREE, Entry
from fanfold.patch.names import is_dotgit
from fanfold.patch.pack import Pack, write_pack

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = {
    pygit2.enums.ObjectType.COMMIT: "commit",
    pygit2.enums.ObjectType.TREE: "tree",
    pygit2.enums.ObjectType.BLOB: "blob",
    pygit2.enums.ObjectType.TAG: "tag",
}
MODE = re.compile(rb"[0-7]{5,6}")
FILE_TYPE = 0o170000
REGULAR_TYPE = 0o100000
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def oid_of(kind: str, content: bytes) -> str:
    """The id git gives to an object."""
    digest = hashlib.sha1(b"%b %d\0" % (kind.encode(), len(content)), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


class Objects:
    """Reads objects from memory, then from `below`; writes to memory alone.

    Trees of the repository are parsed once for all that is laid over the same `Objects`.
    """

    def __init__(self, below: pygit2.Repository | Objects) -> None:
        self._below = below
        self._fresh: dict[str, tuple[str, bytes]] = {}
        self._trees: dict[str, dict[str, Entry]] = {}

    def blob(self, oid: str, path: str | None = None) -> bytes:
        """Raises `InvalidPatch` with `missing_object` when there is no such blob."""
        return self._read(oid, "blob", path)

    def tree(self, oid: str, path: str | None = None) -> dict[str, Entry]:
        """A tree's entries by name, in git's order, with canonical modes.

        Names that are not UTF-8 hold surrogates. Raises `InvalidPatch`: `missing_object`, or
        `bad_tree` and `dotgit_path` for what no tree may hold.
        """
        if oid == EMPTY_TREE:
            return {}
        if isinstance(self._below, Objects) and oid not in self._fresh:
            return self._below.tree(oid, path)
        if oid not in self._trees:
            self._trees[oid] = parse_tree(self._read(oid, "tree", path), path)
        return dict(self._trees[oid])

    def put(self, kind: str, content: bytes) -> str:
        oid = oid_of(kind, content)
        self._fresh[oid] = (kind, content)
        return oid

    def put_tree(self, entries: Mapping[str, Entry]) -> str:
        return self.put("tree", format_tree(entries))

    def adopt(self, other: Objects) -> None:
        """Take over what was written to `other`."""
        self._fresh.update(other._fresh)

    def pack(self) -> Pack:
        """Everything written here that the repository below does not hold, as one pack."""
        return write_pack({o: fresh for o, fresh in self._fresh.items() if not self._is_below(o)})

    def _is_below(self, oid: str) -> bool:
        below = self._below
        if isinstance(below, Objects):
            return oid in below._fresh or below._is_below(oid)
        return oid in below.odb

    def _read(self, oid: str, kind: str, path: str | None) -> bytes:
        found = self._find(oid)
        if found is None or found[0] != kind:
            raise InvalidPatch("missing_object", f"no {kind} {oid} in the repository", path)
        return found[1]

    def _find(self, oid: str) -> tuple[str, bytes] | None:
        if oid in self._fresh:
            return self._fresh[oid]
        if isinstance(self._below, Objects):
            return self._below._find(oid)
        try:
            kind, content = self._below.odb.read(pygit2.Oid(hex=oid))
        except KeyError:
            return None
        return KINDS[pygit2.enums.ObjectType(kind)], content


def parse_tree(data: bytes, path: str | None = None) -> dict[str, Entry]:
    """Entries of a raw tree. Raises `InvalidPatch` with `bad_tree`."""
    entries: dict[str, Entry] = {}
    at = 0
    previous = b""
    while at < len(data):
        space, end = data.find(b" ", at, at + 8), data.find(b"\0", at)
        if space < 0 or end < space or end + 21 > len(data):
            raise InvalidPatch("bad_tree", "a malformed tree", path)
        raw, digits = data[space + 1 : end], data[at:space]
        if not MODE.fullmatch(digits):
            raise InvalidPatch("bad_tree", "a malformed mode in a tree", path)
        mode = canonical(int(digits, 8))
        key = raw + b"/" if mode == TREE else raw
        name = raw.decode("utf-8", "surrogateescape")
        if key <= previous or name in entries or raw in (b"", b".", b"..") or b"/" in raw:
            raise InvalidPatch("bad_tree", f"entry {name!r} is unsorted, doubled or no name", path)
        if is_dotgit(name):
            raise InvalidPatch("dotgit_path", f"the tree holds {name!r}", path)
        entries[name] = Entry(mode, data[end + 1 : end + 21].hex())
        previous, at = key, end + 21
    return entries


def format_tree(entries: Mapping[str, Entry]) -> bytes:
    rows: list[tuple[bytes, bytes]] = []
    for name, entry in entries.items():
        raw = name.encode("utf-8", "surrogateescape")
        row = b"%o %b\0%b" % (entry.mode, raw, bytes.fromhex(entry.oid))
        rows.append((raw + b"/" if entry.mode == TREE else raw, row))
    rows.sort()
    return b"".join([row for _, row in rows])


def canonical(mode: int) -> int:
    """The mode as git treats it: old trees hold 100664 and the like."""
    if mode & FILE_TYPE == REGULAR_TYPE:
        return 0o100755 if mode & 0o100 else 0o100644
    return mode & FILE_TYPE
