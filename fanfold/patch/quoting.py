"""Paths as git writes them in patches: plain, or C-quoted."""

from __future__ import annotations

from fanfold.errors import InvalidPatch

ESCAPES = {
    ord(letter): value for letter, value in zip('abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True)
}
QUOTE, BACKSLASH = ord('"'), ord("\\")
PREFIXES = frozenset(b"abciow")


def shown(raw: bytes) -> str:
    """A path for an error message, whatever its bytes."""
    return raw.decode("utf-8", "backslashreplace")


def unquote(text: bytes) -> tuple[bytes, bytes]:
    """Read a C-quoted string at the start of `text`; gives its bytes and what follows.

    Raises `InvalidPatch` when the quote does not end or an escape is none of git's.
    """
    out, at = bytearray(), 1
    while at < len(text):
        char = text[at]
        if char == QUOTE:
            return bytes(out), text[at + 1 :]
        if char != BACKSLASH:
            out.append(char)
            at += 1
            continue
        value, at = _escape(text, at + 1)
        out.append(value)
    raise InvalidPatch("bad_name", f"quoted path does not end: {shown(text[:80])}")


def _escape(text: bytes, at: int) -> tuple[int, int]:
    octal = text[at : at + 3]
    if len(octal) == 3 and all(0x30 <= digit <= 0x37 for digit in octal) and octal[0] <= 0x33:
        return int(octal, 8), at + 3
    letter = text[at] if at < len(text) else -1
    if letter not in ESCAPES:
        raise InvalidPatch("bad_name", f"unknown escape in a quoted path: {shown(text[:80])}")
    return ESCAPES[letter], at + 1


def decode(raw: bytes) -> str:
    """A path as str.

    Raises `InvalidPatch` for an empty one, for NUL, and for bytes that are not UTF-8.
    """
    if not raw:
        raise InvalidPatch("bad_name", "an empty path", "")
    if b"\0" in raw:
        raise InvalidPatch("bad_name", "NUL in a path", shown(raw))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidPatch("bad_name", "a path that is not UTF-8", shown(raw)) from None


def header_path(text: bytes) -> str:
    """A path of a `rename` or `copy` header: no prefix, nothing after it."""
    return decode(_whole(text))


def prefixed_path(text: bytes) -> str | None:
    """A path of a `---` or `+++` line without its `a/` or `b/`; None for /dev/null."""
    raw = _whole(text.removesuffix(b"\t"))
    return None if raw == b"/dev/null" else decode(strip_prefix(raw))


def strip_prefix(raw: bytes) -> bytes:
    """The path without its `a/` or `b/` (or one of git's mnemonic prefixes)."""
    if raw.startswith(b"/"):
        raise InvalidPatch("path_escape", "an absolute path", shown(raw))
    if raw[1:2] != b"/" or raw[0] not in PREFIXES:
        raise InvalidPatch("bad_name", "a path without its a/ or b/ prefix", shown(raw))
    return raw[2:]


def _whole(text: bytes) -> bytes:
    if not text.startswith(b'"'):
        return text
    raw, rest = unquote(text)
    if rest:
        raise InvalidPatch("bad_name", f"text after a quoted path: {shown(rest[:80])}", shown(raw))
    return raw


def header_pairs(text: bytes) -> list[tuple[bytes, bytes]]:
    """Every way to read what follows `diff --git ` as two prefixed paths."""
    if text.startswith(b'"'):
        first, rest = unquote(text)
        return [(first, _whole(rest[1:]))] if rest.startswith(b" ") else []
    if text.endswith(b'"') and b' "' in text:
        first, _, rest = text.partition(b' "')
        return [(first, _whole(b'"' + rest))]
    half = len(text) // 2
    if len(text) % 2 and text[half : half + 1] == b" " and text[2:half] == text[half + 3 :]:
        return [(text[:half], text[half + 1 :])]
    return []
