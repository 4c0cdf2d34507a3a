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
    """Whether a write-set glob covers `path`.

    `*` and `?` stay within a name, `**` crosses directories. A pattern whose last name has no
    wildcard, or that ends in `/`, covers all below a directory of that name too.
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
    if body is None:
        return None
    names_directory = pattern.endswith("/") or not SPECIAL.search(text.rpartition("/")[2])
    return re.compile(body + (r"(?:/.*)?" if names_directory else ""), re.DOTALL)


@lru_cache(maxsize=4096)
def compile_ignore(pattern: str) -> re.Pattern[str] | None:
    """A pattern of `.gitattributes`; None for one that matches nothing.

    Without a `/` it matches at any depth.
    """
    if pattern.endswith("/"):
        return None
    anchored = "/" in pattern
    body = _translate(pattern.removeprefix("/"))
    if body is None:
        return None
    return re.compile(body if anchored else rf"(?:.*/)?{body}", re.DOTALL)


def _translate(pattern: str) -> str | None:
    """A glob as a regular expression that never backtracks far; None for one too long to be meant.

    What stands between two wildcards of a kind takes the first place where it fits: no other place
    can do better, so nothing is tried twice.
    """
    if len(pattern) > MAX_PATTERN:
        return None
    groups: list[list[str]] = [[]]
    for name in pattern.split("/"):
        if name == "**":
            groups.append([])
        else:
            groups[-1].append(_name(name))
    first, *rest = groups
    if not rest:
        return "/".join(first)
    *middle, last = rest
    between = "".join(f"(?>(?:[^/]*/)*?{_folders(names)})" for names in middle if names)
    return f"{_folders(first)}{between}" + (f"(?:.*/)?{'/'.join(last)}" if last else ".*")


def _folders(names: list[str]) -> str:
    return "".join(f"{name}/" for name in names)


def _name(name: str) -> str:
    runs: list[str] = [""]
    at = 0
    while at < len(name):
        if name[at] == "*":
            runs.append("")
            at += 1
        else:
            piece, at = _piece(name, at)
            runs[-1] += piece
    first, *rest = runs
    if not rest:
        return first
    middle = "".join(f"(?>[^/]*?{run})" for run in rest[:-1] if run)
    return f"{first}{middle}[^/]*{rest[-1]}"


def _piece(name: str, at: int) -> tuple[str, int]:
    char = name[at]
    if char == "?":
        return r"[^/]", at + 1
    if char == "[":
        return _class(name, at)
    if char == "\\" and at + 1 < len(name):
        return re.escape(name[at + 1]), at + 2
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
