"""What a plan states in comments and bold lines: `execution:`, `depends:`, `files:`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fanfold.plan.paths import declared

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATEMENT = re.compile(r"\s*([A-Za-z][A-Za-z_ -]{0,24}?)\s*[:=]\s*(.*)")
_NEWLINE = re.compile(r"\r\n|\n|\r")
_WORD = re.compile(r"[a-z]+")
_READ = 2_000
_KEYS = {
    "execution": "execution",
    "depends": "depends",
    "depends on": "depends",
    "dependencies": "depends",
    "needs": "depends",
    "blocked by": "depends",
    "files": "files",
    "file": "files",
    "writes": "files",
}
_BOLD_FILES = re.compile(
    r"(?:[-*+]\s+)?\*\*Files?(?:\s+\w+)?\s*(?::\s*\*\*|\*\*\s*:)\s*(.*)", re.IGNORECASE
)
_FILE_BULLET = re.compile(
    r"[-*+]\s+(?:\*\*)?(?:(create|modify|test|delete|update|edit|add|remove|rename)d?(?:\*\*)?\s*:(?:\*\*)?\s*)?(.*)",
    re.IGNORECASE,
)
_REMARK = re.compile(r"\s+[(–—-].*$")
_NOTHING = frozenset(("", "none", "nothing", "-", "n/a", "[]"))


class Note(msgspec.Struct, frozen=True):
    """A statement such as `depends: task1, task2`, with its line."""

    line: int
    key: str
    value: str


def read(comment: str, line: int) -> Iterator[Note]:
    """The statements that an HTML comment makes, one a line; `line` is where it begins."""
    for number, text in enumerate(_NEWLINE.split(comment)):
        match = _STATEMENT.match(text[:_READ])
        key = match and _KEYS.get(" ".join(_WORD.findall(match[1].casefold())))
        if match and key:
            yield Note(line + number, key, " ".join(match[2].split()))


def references(value: str) -> tuple[str, ...]:
    """The items that a `depends` names; none for `none` or nothing."""
    parts = [part.strip(" `'\"[]") for part in value.replace(";", ",").split(",")]
    return tuple(part for part in parts if part.casefold() not in _NOTHING)


def bold_files(text: str) -> str | None:
    """What follows `**Files:**` on a line; None where the line does not begin so."""
    match = _BOLD_FILES.match(text)
    return match[1].strip() if match else None


def bullet_files(text: str) -> tuple[str, ...] | None:
    """The paths of a bullet below `**Files:**`, as ``- Create: `src/a.py` ``; None without any."""
    match = _FILE_BULLET.match(text)
    if match is None:
        return None
    value = match[2]
    code = re.findall(r"`([^`]{1,240})`", value)
    return declared(" ".join(code) if code else _REMARK.sub("", value))
