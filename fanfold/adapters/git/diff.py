"""Two trees -> the patch between them, in git's binary-safe format, always the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import DiffOption

from fanfold.adapters.git.trees import SUBMODULE, Entry, changed, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pygit2 import Repository

_FLAGS = DiffOption.SHOW_BINARY | DiffOption.INDENT_HEURISTIC
_NULL = "0" * 40
_ESCAPES = {
    byte: b"\\%c" % letter for byte, letter in zip(b'\a\b\t\n\v\f\r"\\', b'abtnvfr"\\', strict=True)
}


def diff_trees(repo: Repository, old: str, new: str) -> bytes:
    """Full index lines, no renames; neither `.gitattributes` nor configuration plays a part."""
    return b"".join(part for row in changed(repo, old, new) for part in _file_patch(repo, *row))


def quoted(name: bytes) -> bytes:
    """A path as git writes it in a patch: C-quoted where a byte is not plain ASCII."""
    escaped = b"".join(
        _ESCAPES.get(byte) or (b"%c" % byte if 0x20 <= byte < 0x7F else b"\\%03o" % byte)
        for byte in name
    )
    return b'"%s"' % escaped if escaped != name else name


def _file_patch(
    repo: Repository, path: str, old: Entry | None, new: Entry | None
) -> Iterator[bytes]:
    name = raw(path)
    ours, theirs = quoted(b"a/" + name), quoted(b"b/" + name)
    yield b"diff --git %s %s\n" % (ours, theirs)
    yield from _modes(old, new)
    old_oid, new_oid = (entry.oid if entry else _NULL for entry in (old, new))
    if old_oid == new_oid:
        return
    same_mode = b" %06o" % new.mode if old and new and old.mode == new.mode else b""
    yield b"index %s..%s%s\n" % (old_oid.encode(), new_oid.encode(), same_mode)
    body = _body(repo, old, new)
    if body.startswith(b"@@"):
        tab = b"\t" if b" " in name else b""
        yield b"--- %s\n" % (ours + tab if old else b"/dev/null")
        yield b"+++ %s\n" % (theirs + tab if new else b"/dev/null")
    yield body


def _modes(old: Entry | None, new: Entry | None) -> Iterator[bytes]:
    if old is None and new is not None:
        yield b"new file mode %06o\n" % new.mode
    elif new is None and old is not None:
        yield b"deleted file mode %06o\n" % old.mode
    elif old is not None and new is not None and old.mode != new.mode:
        yield b"old mode %06o\nnew mode %06o\n" % (old.mode, new.mode)


def _body(repo: Repository, old: Entry | None, new: Entry | None) -> bytes:
    """The hunks or the binary part, without any header; empty where an empty file comes or goes."""
    # libgit2 reads both sides again when the patch is printed, and pygit2 does not hold them.
    ours, theirs = _content(repo, old), _content(repo, new)
    data = pygit2.Patch.create_from(ours, theirs, flag=_FLAGS).data
    for start in (b"\n@@ ", b"\nGIT binary patch\n"):
        found = data.find(start)
        if found >= 0:
            return data[found + 1 :]
    return b""


def _content(repo: Repository, entry: Entry | None) -> bytes:
    """Bytes, as libgit2 would look up the attributes of a blob."""
    if entry is None:
        return b""
    if entry.mode == SUBMODULE:
        return b"Subproject commit %s\n" % entry.oid.encode()
    return repo.read(entry.oid)[1]
