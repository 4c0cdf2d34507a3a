"""Reads git patches, on bytes. Whatever they are, it gives a `Patch` or raises `InvalidPatch`."""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec

from fanfold.errors import InvalidPatch
from fanfold.patch.binary import decode_line
from fanfold.patch.headers import Headers, change_of
from fanfold.patch.model import Binary, FileChange, Hunk, Patch
from fanfold.patch.quoting import prefixed_path, shown

MAX_PATCH_BYTES = 100_000_000
DIFF = b"diff --git "
HUNK = re.compile(rb"@@ -(\d{1,10})(?:,(\d{1,10}))? \+(\d{1,10})(?:,(\d{1,10}))? @@(?: |$|[^@])")
SIZE = re.compile(rb"(literal|delta) (\d{1,12})")


def read_patch(data: bytes, *, max_bytes: int = MAX_PATCH_BYTES) -> Patch:
    """Read one patch of `git diff --full-index --binary` or `git format-patch`.

    No bytes are a patch without changes. Nothing is inflated or looked up here: what the patch
    claims is proven by the gate. Raises `InvalidPatch`: `patch_too_large`, `not_a_patch`,
    `several_patches`, `bad_header`, `bad_hunk`, `bad_binary`, `bad_name`, `bad_mode`,
    `path_escape`, `name_mismatch`, `oid_mismatch`, `abbreviated_oid`.
    """
    if len(data) > max_bytes:
        raise InvalidPatch("patch_too_large", f"{len(data)} bytes, limit {max_bytes}")
    if not data.strip():
        return Patch()
    lines = _Lines(data)
    lines.skip_to_diff()
    if lines.done:
        raise InvalidPatch("not_a_patch", "no line starts with 'diff --git '")
    changes: list[FileChange] = []
    while not lines.done and not lines.at_end_of_patch():
        changes.append(_named_file(lines))
    return Patch(tuple(changes))


class _Lines:
    """A cursor over the lines of a patch."""

    def __init__(self, data: bytes) -> None:
        self._lines = data.split(b"\n")
        if self._lines[-1] == b"":
            self._lines.pop()
        self.at = 0

    @property
    def done(self) -> bool:
        return self.at >= len(self._lines)

    def peek(self) -> bytes | None:
        return self._lines[self.at] if self.at < len(self._lines) else None

    def next(self) -> bytes:
        line = self.peek()
        if line is None:
            self.fail("bad_hunk", "the patch ends in the middle")
        self.at += 1
        return line

    def skip_to_diff(self) -> None:
        while not self.done and not self._lines[self.at].startswith(DIFF):
            self.at += 1

    def at_end_of_patch(self) -> bool:
        """Whether only a mail's signature or blank lines are left; the next file may follow."""
        line = self._lines[self.at]
        if line.startswith(DIFF):
            return False
        if line.rstrip() not in (b"", b"--"):
            self.fail("not_a_patch", f"neither a header nor a hunk: {shown(line[:80])!r}")
        self.skip_to_diff()
        if not self.done:
            self.fail("several_patches", "a second patch begins; give each its own file")
        return True

    def fail(self, code: str, detail: str, path: str | None = None) -> NoReturn:
        raise InvalidPatch(code, f"line {self.at + 1}: {detail}", path)


def _named_file(lines: _Lines) -> FileChange:
    diff = lines.peek() or b""
    try:
        return _file(lines)
    except InvalidPatch as error:
        path = shown(diff[len(DIFF) :][:200]) if error.path is None else error.path
        raise InvalidPatch(error.code, error.detail, path) from None


def _file(lines: _Lines) -> FileChange:
    headers = Headers(lines.next()[len(DIFF) :])
    while (line := lines.peek()) is not None and headers.take(line):
        lines.at += 1
    hunks: tuple[Hunk, ...] = ()
    binary: Binary | None = None
    if line is not None and line.startswith(b"--- "):
        lines.at += 1
        plus = lines.next()
        if not plus.startswith(b"+++ "):
            lines.fail("bad_header", "a '---' line without its '+++' line")
        headers.marks = (prefixed_path(line[4:]), prefixed_path(plus[4:]))
        hunks = _hunks(lines)
    elif line == b"GIT binary patch":
        lines.at += 1
        binary = _binary(lines)
    elif line is not None and line.startswith(b"Binary files "):
        lines.fail("bad_binary", "binary content is missing; make the patch with --binary")
    change = change_of(headers, has_content=bool(hunks) or binary is not None)
    return msgspec.structs.replace(change, hunks=hunks, binary=binary)


def _hunks(lines: _Lines) -> tuple[Hunk, ...]:
    hunks: list[Hunk] = []
    while (line := lines.peek()) is not None and line.startswith(b"@@ "):
        hunks.append(_hunk(lines))
    if not hunks:
        lines.fail("bad_hunk", "no hunk after '+++'")
    return tuple(hunks)


def _hunk(lines: _Lines) -> Hunk:
    match = HUNK.match(lines.next())
    if match is None:
        lines.fail("bad_hunk", "a malformed hunk header")
    old_start, old_count, new_start, new_count = (
        1 if group is None else int(group) for group in match.groups()
    )
    old_left, new_left = old_count, new_count
    body: list[bytes] = []
    while old_left > 0 or new_left > 0:
        line = lines.next() or b" "
        kind = line[:1]
        if kind == b"\\" and body:
            _drop_newline(lines, body)
            continue
        if kind not in b" +-":
            lines.fail("bad_hunk", f"not a line of a hunk: {shown(line[:80])!r}")
        old_left -= kind != b"+"
        new_left -= kind != b"-"
        body.append(line + b"\n")
    if old_left < 0 or new_left < 0:
        lines.fail("bad_hunk", "more lines than the hunk header says")
    if (line := lines.peek()) is not None and line.startswith(b"\\ ") and body:
        lines.at += 1
        _drop_newline(lines, body)
    return Hunk(old_start, old_count, new_start, new_count, tuple(body))


def _drop_newline(lines: _Lines, body: list[bytes]) -> None:
    if not body[-1].endswith(b"\n"):
        lines.fail("bad_hunk", "a second 'no newline' mark")
    body[-1] = body[-1][:-1]


def _binary(lines: _Lines) -> Binary:
    forward = _binary_part(lines)
    line = lines.peek()
    if line is not None and SIZE.fullmatch(line):
        _binary_part(lines)
    return forward


def _binary_part(lines: _Lines) -> Binary:
    match = SIZE.fullmatch(lines.next())
    if match is None:
        lines.fail("bad_binary", "neither 'literal SIZE' nor 'delta SIZE'")
    parts: list[bytes] = []
    while line := lines.next():
        parts.append(decode_line(line))
    return Binary(match[1] == b"delta", int(match[2]), b"".join(parts))
