"""Merges the content of one file from three sides, on bytes, with libgit2's own merge."""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec
import pygit2

from fanfold.patch.model import REGULAR

if TYPE_CHECKING:
    from collections.abc import Sequence

bindings: Any = import_module("pygit2.ffi")
ffi: Any = bindings.ffi
lib: Any = bindings.C
STYLE_MERGE, STYLE_DIFF3 = 1, 2
FAVOR_NORMAL, FAVOR_UNION = 0, 3
OPTIONS_VERSION = 1
BINARY_PROBE = 8000
MARKER = 7


class Merged(msgspec.Struct, frozen=True):
    """The merged bytes; with markers in them where `clean` is false."""

    clean: bool
    data: bytes


def is_binary(data: bytes) -> bool:
    """Whether git takes it for binary: a NUL among the first 8,000 bytes."""
    return b"\0" in data[:BINARY_PROBE]


def merge_text(
    base: bytes,
    ours: bytes,
    theirs: bytes,
    *,
    union: bool = False,
    diff3: bool = False,
    labels: Sequence[str] = ("base", "ours", "theirs"),
    marker_size: int = MARKER,
) -> Merged:
    """Merge line by line.

    With `union` both sides of a conflict are kept; with `diff3` markers show the base too.
    """
    return _merger().merge(
        (base, ours, theirs),
        favor=FAVOR_UNION if union else FAVOR_NORMAL,
        flags=STYLE_DIFF3 if diff3 else STYLE_MERGE,
        labels=labels,
        marker_size=marker_size,
    )


@cache
def _merger() -> _Merger:
    return _Merger()


class _Blobs(pygit2.OdbBackend):
    """The three blobs of the merge under way."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.held: dict[bytes, bytes] = {}

    def read_cb(self, oid: pygit2.Oid) -> tuple[int, bytes]:
        return int(pygit2.enums.ObjectType.BLOB), self.held[oid.raw]

    def read_header_cb(self, oid: pygit2.Oid) -> tuple[int, int]:
        return int(pygit2.enums.ObjectType.BLOB), len(self.held[oid.raw])

    def exists_cb(self, oid: pygit2.Oid) -> bool:
        return oid.raw in self.held


class _Merger:
    """libgit2's `git_merge_file_from_index` over a repository that exists in memory only.

    The plain `git_merge_file` is not among pygit2's bindings, and pygit2's own method decodes what
    it merged.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blobs = _Blobs()
        self._odb = pygit2.Odb()
        self._odb.add_backend(self._blobs, 1)
        self._repo: Any = pygit2.Repository()
        self._repo.set_odb(self._odb)

    def merge(
        self,
        sides: Sequence[bytes],
        *,
        favor: int,
        flags: int,
        labels: Sequence[str],
        marker_size: int,
    ) -> Merged:
        names = [ffi.new("char[]", label.encode()) for label in labels]
        options = ffi.new("git_merge_file_options *")
        options.version, options.favor, options.flags = OPTIONS_VERSION, favor, flags
        options.marker_size = marker_size
        options.ancestor_label, options.our_label, options.their_label = names
        path = ffi.new("char[]", b"file")
        result = ffi.new("git_merge_file_result *")
        with self._lock:
            entries = [self._entry(side, path) for side in sides]
            error = lib.git_merge_file_from_index(result, self._repo._repo, *entries, options)
            self._blobs.held.clear()
        if error:
            raise MemoryError(f"libgit2 cannot merge: error {error}")
        merged = Merged(bool(result.automergeable), bytes(ffi.buffer(result.ptr, result.len)))
        lib.git_merge_file_result_free(result)
        return merged

    def _entry(self, data: bytes, path: Any) -> Any:
        digest = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest()
        self._blobs.held[digest] = data
        entry = ffi.new("git_index_entry *")
        entry.mode, entry.path = REGULAR, path
        ffi.buffer(entry.id.id)[:] = digest
        return entry
