"""Globs of paths: those of declared write sets, and those of git's attribute files."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PATTERN = 1000
SPECIAL = re.compile(r"[*?\[]")


def matches(pattern: str, path: str) -> bool:
    """Whether a write-set glob covers `path`: `*` and `?` stay within a name, `**` crosses
    directories.

    A pattern that names a directory covers all below it, with or without a `/` at its end.
    """
    compiled = _compile_glob(pattern)
    return compiled is not None and compiled.fullmatch(path) is not None


def any_matches(patterns: Iterable[str], path: str) -> bool:
    return any(matches(pattern, path) for pattern in patterns)


def literal_prefix(pattern: str) -> str:
    """What a pattern says before its first wildcard."""
    text = pattern.removeprefix("./")
    found = SPECIAL.search(text)
    return text[: found.start()] if found else text


@lru_cache(maxsize=4096)
def _compile_glob(pattern: str) -> re.Pattern[str] | None:
    text = pattern.strip().removeprefix("./").rstrip("/")
    if text in ("", "."):
        return re.compile(r".*", re.DOTALL) if pattern.strip() else None
    body = _translate(text)
    return None if body is None else re.compile(body + r"(?:/.*)?", re.DOTALL)


@lru_cache(maxsize=4096)
def compile_ignore(pattern: str) -> re.Pattern[str] | None:
    """A pattern of `.gitattributes`: without a `/` it matches at any depth; None for one that
    matches nothing.
    """
    if pattern.endswith("/"):
        return None
    anchored = "/" in pattern
    body = _translate(pattern.removeprefix("/"))
    if body is None:
        return None
    return re.compile(body if anchored else rf"(?:.*/)?{body}", re.DOTALL)


def _translate(pattern: str) -> str | None:
    """A glob as a regular expression without nested repetition; None for a pattern too long to be
    meant.
    """
    if len(pattern) > MAX_PATTERN:
        return None
    pattern = re.sub(r"\*\*(?:/\*\*)+", "**", pattern)
    out: list[str] = []
    at = 0
    while at < len(pattern):
        piece, at = _piece(pattern, at)
        out.append(piece)
    return "".join(out)


def _piece(pattern: str, at: int) -> tuple[str, int]:
    starts_name = at == 0 or pattern[at - 1] == "/"
    if starts_name and pattern.startswith("**/", at):
        return r"(?:.*/)?", at + 3
    if starts_name and pattern[at:] == "**":
        return r".*", at + 2
    char = pattern[at]
    if char == "*":
        stop = at
        while stop < len(pattern) and pattern[stop] == "*":
            stop += 1
        return r"[^/]*", stop
    if char == "?":
        return r"[^/]", at + 1
    if char == "[":
        return _class(pattern, at)
    if char == "\\" and at + 1 < len(pattern):
        return re.escape(pattern[at + 1]), at + 2
    return re.escape(char), at + 1


def _class(pattern: str, at: int) -> tuple[str, int]:
    end = pattern.find("]", at + 2)
    if end < 0:
        return r"\[", at + 1
    body = pattern[at + 1 : end]
    negated = body[0] in "!^"
    members = re.sub(r"([\\\[\]&~|^])", r"\\\1", body[negated:])
    expression = f"(?!/)[{'^' if negated else ''}{members}]"
    try:
        re.compile(expression)
    except re.error:
        return re.escape(pattern[at : end + 1]), end + 1
    return expression, end + 1
