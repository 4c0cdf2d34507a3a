"""`.gitignore`, as gitignore(5) tells it, over any source of files: a tree object or a folder."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from fanfold.adapters.git.trees import text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CACHES = (
    "__pycache__/",
    "*.py[co]",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    ".tox/",
    ".venv/",
    ".prepared/",
    ".coverage",
    "*.egg-info/",
    "node_modules/",
    ".DS_Store",
)
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_WILD = re.compile(r"[*?\[\\]")
_NAMED_CLASS = re.compile(r"\[:([a-z]+):\]")


class Rule(NamedTuple):
    """One pattern; `anchored` ones match a path from their file's folder, others any name below."""

    pattern: re.Pattern[str]
    include: bool
    folders_only: bool
    anchored: bool

    def matches(self, path: str, is_folder: bool) -> bool:
        if self.folders_only and not is_folder:
            return False
        subject = path if self.anchored else path.rpartition("/")[2]
        return self.pattern.fullmatch(subject) is not None


class Ignores:
    """Which paths that are not tracked git would leave out.

    `read` gives the content of a `.gitignore` by its path, None where there is none; `extra` are
    patterns at the root that any `.gitignore` overrules.
    """

    def __init__(self, read: Callable[[str], bytes | None], extra: Sequence[str] = CACHES) -> None:
        self._read = read
        self._extra = parse("\n".join(extra).encode())
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._folders: dict[str, bool] = {"": False}

    def ignored(self, path: str, *, is_folder: bool = False) -> bool:
        """Also true below an ignored folder: nothing in it can be included again."""
        above = path.rpartition("/")[0]
        return self._folder_ignored(above) or self._verdict(path, is_folder)

    def _folder_ignored(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = self.ignored(folder, is_folder=True)
        return known

    def _verdict(self, path: str, is_folder: bool) -> bool:
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            below = path[len(folder) + 1 :] if folder else path
            for rule in self._rules_of(folder):
                if rule.matches(below, is_folder):
                    return not rule.include
        return any(rule.matches(path, is_folder) for rule in self._extra)

    def _rules_of(self, folder: str) -> tuple[Rule, ...]:
        known = self._rules.get(folder)
        if known is None:
            content = self._read(f"{folder}/.gitignore" if folder else ".gitignore")
            known = self._rules[folder] = parse(content) if content else ()
        return known


@lru_cache(maxsize=256)
def parse(content: bytes) -> tuple[Rule, ...]:
    """The rules of one `.gitignore`, the last line first: the first match decides."""
    lines = text(content.removeprefix(b"\xef\xbb\xbf")).split("\n")
    rules = [rule for line in lines if (rule := _rule(line.removesuffix("\r")))]
    return tuple(reversed(rules))


def _rule(line: str) -> Rule | None:
    line = re.sub(r"(?<!\\) +$", "", line)
    if not line or line.startswith("#"):
        return None
    include = line.startswith("!")
    line = line[include:]
    folders_only = line.endswith("/")
    line = line.removesuffix("/")
    anchored = "/" in line
    line = line.removeprefix("/")
    expression = _expression(line) if line else None
    if expression is None:
        return None
    return Rule(re.compile(expression, re.DOTALL), include, folders_only, anchored)


def _expression(glob: str) -> str | None:
    """A wildmatch pattern as a regular expression; None for a malformed one: it never matches.

    What stands between two wildcards of a kind takes the first place where it fits, for good: no
    other place can do better, and nothing is tried twice, whatever a pattern is made for.
    """
    parts, at = [_Part()], 0
    while at < len(glob):
        char = glob[at]
        if char == "*":
            at = _stars(glob, at, parts)
        elif char == "[":
            bracket = _bracket(glob, at)
            if bracket is None:
                return None
            piece, at = bracket
            parts[-1].add(piece)
        elif char == "\\":
            if at + 1 == len(glob):
                return None
            parts[-1].add(re.escape(glob[at + 1]))
            at += 2
        else:
            parts[-1].add("[^/]" if char == "?" else re.escape(char))
            at += 1
    first, *rest = (part.expression for part in parts)
    if not rest:
        return first
    middle = "".join(f"(?>(?:[^/]*/)*?{part})" for part in rest[:-1] if part)
    return f"{first}{middle}(?:.*/)?{rest[-1]}"


class _Part:
    """What lies between two `**`: names, of runs that a star lies between."""

    def __init__(self) -> None:
        self._names: list[list[str]] = [[""]]

    def add(self, piece: str) -> None:
        if piece == "/":
            self._names.append([""])
        else:
            self._names[-1][-1] += piece

    def star(self) -> None:
        self._names[-1].append("")

    @property
    def expression(self) -> str:
        return "/".join(map(_name, self._names))


def _name(runs: list[str]) -> str:
    first, *rest = runs
    if not rest:
        return first
    middle = "".join(f"(?>[^/]*?{run})" for run in rest[:-1] if run)
    return f"{first}{middle}[^/]*{rest[-1]}"


def _stars(glob: str, at: int, parts: list[_Part]) -> int:
    """`**` spans folders as a whole path component, else any run of stars is one star.

    As the first wildcard it need not begin the component: git has cut off the literal text by then.
    """
    end = at
    while end < len(glob) and glob[end] == "*":
        end += 1
    begins = not _WILD.search(glob, 0, at) or glob[at - 1] == "/"
    whole = begins and (end == len(glob) or glob[end] == "/")
    if end - at < 2 or not whole:
        parts[-1].star()
        return end
    parts.append(_Part())
    if end == len(glob):
        parts[-1].add(".*")
    return end + 1


def _bracket(glob: str, at: int) -> tuple[str, int] | None:
    at += 1
    negated = glob[at : at + 1] in ("!", "^") and glob[at : at + 1] != ""
    at += negated
    members, first = "", True
    while at < len(glob) and (glob[at] != "]" or first):
        first = False
        named = _NAMED_CLASS.match(glob, at)
        if named:
            if named[1] not in _CLASSES:
                return None
            members, at = members + _CLASSES[named[1]], named.end()
            continue
        low, at = _member(glob, at)
        high = low
        if glob[at : at + 1] == "-" and glob[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(glob, at + 1)
        if low <= high:
            members += f"{re.escape(low)}-{re.escape(high)}"
    if at >= len(glob):
        return None
    if not members:
        return ("[^/]" if negated else "(?!)"), at + 1
    return (f"(?!/)[{'^' if negated else ''}{members}]"), at + 1


def _member(glob: str, at: int) -> tuple[str, int]:
    escaped = glob[at] == "\\" and at + 1 < len(glob)
    return glob[at + escaped], at + escaped + 1
