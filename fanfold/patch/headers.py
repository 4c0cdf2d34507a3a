"""The header lines of one file in a patch, and whether they agree with one another."""

from __future__ import annotations

import re

from fanfold.errors import InvalidPatch
from fanfold.patch.model import FileChange
from fanfold.patch.quoting import decode, header_pairs, header_path, shown, strip_prefix

MODE = re.compile(rb"[0-7]{6}")
INDEX = re.compile(rb"([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: ([0-7]{6}))?")
NULL_OID = "0" * 40
OID_LENGTH = 40
KEYS = (
    b"old mode ",
    b"new mode ",
    b"deleted file mode ",
    b"new file mode ",
    b"copy from ",
    b"copy to ",
    b"rename from ",
    b"rename to ",
    b"similarity index ",
    b"dissimilarity index ",
    b"index ",
)


class Headers:
    """Header lines as they come; `marks` are the paths of `---` and `+++`, None for /dev/null."""

    def __init__(self, diff: bytes) -> None:
        self.diff = diff
        self.values: dict[bytes, bytes] = {}
        self.marks: tuple[str | None, str | None] | None = None

    def take(self, line: bytes) -> bool:
        """Keep `line` if it is a header. Raises `InvalidPatch` when it was said before."""
        key = next((key for key in KEYS if line.startswith(key)), None)
        if key is None:
            return False
        if key in self.values:
            raise InvalidPatch("bad_header", f"a header twice: {shown(line[:80])}")
        self.values[key] = line[len(key) :]
        return True

    def path(self, key: bytes) -> str | None:
        return header_path(self.values[key]) if key in self.values else None

    def mode(self, key: bytes) -> int | None:
        return _mode(self.values[key]) if key in self.values else None


def change_of(headers: Headers, *, has_content: bool) -> FileChange:
    """The change that the headers tell, without its content.

    Raises `InvalidPatch` where they contradict one another.
    """
    old_path, new_path = _paths(headers)
    old_oid, new_oid, index_mode = _index(headers.values.get(b"index "))
    path = new_path or old_path
    if has_content and new_oid is None:
        raise InvalidPatch("bad_header", "content without an index line", path)
    for oid, side in ((old_oid, old_path), (new_oid, new_path)):
        if oid is not None and (oid == NULL_OID) != (side is None):
            raise InvalidPatch("oid_mismatch", f"index {oid} does not fit the headers", path)
    if index_mode is not None and (b"old mode " in headers.values or None in (old_path, new_path)):
        raise InvalidPatch("bad_header", "a mode in the index line and in a header", path)
    return FileChange(
        old_path=old_path,
        new_path=new_path,
        old_mode=_one(headers, index_mode, b"old mode ", b"deleted file mode "),
        new_mode=_one(headers, index_mode, b"new mode ", b"new file mode "),
        old_oid=None if old_path is None else old_oid,
        new_oid=None if new_path is None else new_oid,
        is_copy=b"copy from " in headers.values,
    )


def _paths(headers: Headers) -> tuple[str | None, str | None]:
    values = headers.values
    created, deleted = b"new file mode " in values, b"deleted file mode " in values
    moved = _moved(headers)
    if moved is not None:
        if created or deleted:
            raise InvalidPatch("bad_header", "renamed and created or deleted at once", moved[1])
        old, new = moved
    elif headers.marks is not None:
        old, new = (
            side or other for side, other in zip(headers.marks, headers.marks[::-1], strict=True)
        )
    else:
        old, new = _from_diff(headers.diff)
    if old is None or new is None or (moved is None and old != new):
        raise InvalidPatch("name_mismatch", f"{shown(headers.diff[:200])} names no single file")
    _agree(headers, old, new)
    paths = (None if created else old, None if deleted else new)
    if headers.marks is not None and headers.marks != paths:
        raise InvalidPatch("name_mismatch", "the '---' and '+++' lines do not fit the headers", new)
    if created and deleted:
        raise InvalidPatch("bad_header", "created and deleted at once", new)
    return paths


def _moved(headers: Headers) -> tuple[str, str] | None:
    for verb in (b"rename", b"copy"):
        old, new = headers.path(verb + b" from "), headers.path(verb + b" to ")
        if old is not None and new is not None:
            return old, new
        if old is not None or new is not None:
            raise InvalidPatch("bad_header", "half of a rename or copy", old or new)
    return None


def _from_diff(diff: bytes) -> tuple[str | None, str | None]:
    for old, new in header_pairs(diff):
        return decode(strip_prefix(old)), decode(strip_prefix(new))
    return None, None


def _agree(headers: Headers, old: str, new: str) -> None:
    """The `diff --git` line must name the same two files as everything below it."""
    plain = b"%b %b" % (b"a/" + old.encode(), b"b/" + new.encode())
    if headers.diff == plain:
        return
    if _from_diff(headers.diff) != (old, new) and not _mnemonic(headers.diff, plain):
        raise InvalidPatch(
            "name_mismatch", f"the diff line says {shown(headers.diff[:200])!r}", new
        )


def _mnemonic(diff: bytes, plain: bytes) -> bool:
    """Whether `diff` is `plain` but for its two prefix letters."""
    cut = plain.find(b" b/")
    return (
        len(diff) == len(plain)
        and diff[1 : cut + 1] == plain[1 : cut + 1]
        and diff[cut + 2 :] == plain[cut + 2 :]
    )


def _index(text: bytes | None) -> tuple[str | None, str | None, int | None]:
    if text is None:
        return None, None, None
    match = INDEX.fullmatch(text)
    if match is None:
        raise InvalidPatch("bad_header", f"a malformed index line: {shown(text[:200])}")
    old, new = match[1].decode(), match[2].decode()
    if len(old) != OID_LENGTH or len(new) != OID_LENGTH:
        raise InvalidPatch(
            "abbreviated_oid",
            f"index {old}..{new}: make the patch with git diff --full-index --binary",
        )
    return old, new, None if match[3] is None else _mode(match[3])


def _mode(text: bytes) -> int:
    if not MODE.fullmatch(text):
        raise InvalidPatch("bad_mode", f"not a mode: {shown(text[:40])!r}")
    return int(text, 8)


def _one(headers: Headers, fallback: int | None, *keys: bytes) -> int | None:
    modes = [mode for key in keys if (mode := headers.mode(key)) is not None]
    if len(modes) > 1:
        raise InvalidPatch("bad_header", "two modes for one side")
    return modes[0] if modes else fallback
