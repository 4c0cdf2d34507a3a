"""A plan's bytes as lines: what is text, code or comment, and where each line lies."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from fanfold.plan.model import Span, Warning

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEWLINE = re.compile(rb"\r\n|\n|\r")
_ESCAPED_NEWLINE = re.compile(rb"(?:\\r)?\\n")
_ESCAPED_STRUCTURE = re.compile(rb"\\n[ \t]*(?:#{1,6} |[-*+] \[)")
_FENCE = re.compile(rb"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}|~{3,})([^\r\n]*)")
_TICKS_OR_COMMENT = re.compile(rb"`+|<!--")
_BOM = b"\xef\xbb\xbf"
_TAB_COLUMNS = 4


class Role(StrEnum):
    """What a line is to a reader of Markdown."""

    TEXT = "text"
    BLANK = "blank"
    CODE = "code"
    COMMENT = "comment"


class Line(msgspec.Struct, frozen=True):
    """One line without its newline; `indent` in columns, `comments` those that begin on it.

    `raw` is the line's bytes with comments blanked out, so that its offsets are the line's.
    """

    number: int
    start: int
    end: int
    role: Role
    raw: bytes
    indent: int
    comments: tuple[str, ...] = ()

    def at(self, span: Span) -> Span:
        """A span of the line as one of the file."""
        return Span(self.start + span.start, self.start + span.end)

    @property
    def text(self) -> str:
        return self.raw.decode("utf-8", "replace").strip()


class Scan(msgspec.Struct, frozen=True):
    """The lines of a file, and what was odd about its fences and comments."""

    lines: tuple[Line, ...]
    warnings: tuple[Warning, ...]


def scan(data: bytes) -> Scan:
    """Split UTF-8 `data` into lines; a file on one line with literal `\\n` is split at those."""
    spans = list(_split(data))
    scanner = _Scanner(data, spans)
    return Scan(tuple(scanner.lines()), tuple(scanner.warnings))


def _split(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each line."""
    escaped = not _NEWLINE.search(data.strip()) and _ESCAPED_STRUCTURE.search(data)
    start = len(_BOM) if data.startswith(_BOM) else 0
    number = 1
    for match in (_ESCAPED_NEWLINE if escaped else _NEWLINE).finditer(data):
        yield number, start, match.start()
        start = match.end()
        number += 0 if escaped else 1
    if start < len(data):
        yield number, start, len(data)


class _Scanner:
    """Walks the lines once, carrying the open fence or comment along."""

    def __init__(self, data: bytes, spans: list[tuple[int, int, int]]) -> None:
        self.data, self.spans = data, spans
        self.warnings: list[Warning] = []
        self.last_comment_end = data.rfind(b"-->")
        self.closers = self._longest_closers_after()

    def lines(self) -> Iterator[Line]:
        fence = b""
        comment_end = 0
        for index, (number, start, end) in enumerate(self.spans):
            raw = self.data[start:end]
            if fence:
                yield _line(number, start, end, Role.CODE, raw)
                fence = b"" if _closes(raw, fence) else fence
            elif start < comment_end:
                yield _line(number, start, end, Role.COMMENT, raw)
            elif fence := self._opened(index, number, raw):
                yield _line(number, start, end, Role.CODE, raw)
            else:
                raw, comments, comment_end = self._without_comments(number, start, raw)
                role = Role.TEXT if raw.strip() else Role.COMMENT if comments else Role.BLANK
                yield _line(number, start, end, role, raw, comments)

    def _longest_closers_after(self) -> list[dict[int, int]]:
        """For each line, the longest closing fence of each kind that still follows it."""
        longest: list[dict[int, int]] = [{}] * len(self.spans)
        after: dict[int, int] = {}
        for index in range(len(self.spans) - 1, -1, -1):
            longest[index] = after
            _, start, end = self.spans[index]
            mark = self.data[start:end].strip()
            if len(mark) >= 3 and mark[0] in b"`~" and mark == mark[:1] * len(mark):
                after = {**after, mark[0]: max(len(mark), after.get(mark[0], 0))}
        return longest

    def _opened(self, index: int, number: int, raw: bytes) -> bytes:
        """The fence that this line opens; one that is never closed is none: it would hide tasks."""
        match = _FENCE.match(raw)
        if match is None or (match[1][:1] == b"`" and b"`" in match[2]):
            return b""
        if self.closers[index].get(match[1][0], 0) >= len(match[1]):
            return match[1]
        text = "this code fence is never closed; what follows is read as plan text"
        self.warnings.append(Warning(number, "unclosed_fence", text))
        return b""

    def _without_comments(
        self, number: int, start: int, raw: bytes
    ) -> tuple[bytes, tuple[str, ...], int]:
        """Blank out the comments that begin in `raw`; also the end of one that goes on below it."""
        if b"<!--" not in raw:
            return raw, (), 0
        pieces: list[bytes] = []
        comments: list[str] = []
        kept = position = 0
        while (opening := _comment_start(raw, position)) >= 0:
            if self.last_comment_end < start + opening + 4:
                text = "this comment is never closed; what follows is read as plan text"
                self.warnings.append(Warning(number, "unclosed_comment", text))
                break
            close = self.data.find(b"-->", start + opening + 4)
            comments.append(self.data[start + opening + 4 : close].decode("utf-8", "replace"))
            position = min(close + 3 - start, len(raw))
            pieces += [raw[kept:opening], b" " * (position - opening)]
            kept = position
            if close + 3 - start > len(raw):
                return b"".join(pieces), tuple(comments), close + 3
        pieces.append(raw[kept:])
        return b"".join(pieces), tuple(comments), 0


def _comment_start(raw: bytes, position: int) -> int:
    """Offset of the next `<!--` outside inline code, or -1."""
    while match := _TICKS_OR_COMMENT.search(raw, position):
        if match[0] == b"<!--":
            return match.start()
        position = _code_end(raw, match)
    return -1


def _code_end(raw: bytes, ticks: re.Match[bytes]) -> int:
    """Where the inline code that `ticks` opens ends; right behind them when nothing closes it."""
    for other in re.compile(rb"`+").finditer(raw, ticks.end()):
        if len(other[0]) == len(ticks[0]):
            return other.end()
    return ticks.end()


def _closes(raw: bytes, fence: bytes) -> bool:
    mark = raw.strip()
    return len(mark) >= len(fence) and mark == fence[:1] * len(mark)


def _line(
    number: int, start: int, end: int, role: Role, raw: bytes, comments: tuple[str, ...] = ()
) -> Line:
    margin = raw[: len(raw) - len(raw.lstrip(b" \t"))]
    indent = len(margin) + (_TAB_COLUMNS - 1) * margin.count(b"\t")
    return Line(number, start, end, role, raw, indent, comments)
