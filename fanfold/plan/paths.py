"""The paths that a plan's text names, and whether two sets of them could touch one file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CODE = re.compile(r"`([^`\n]{1,300})`")
_WORD = re.compile(r"[\w./@+*{}\-]+(?::\d+(?:-\d+)?)?")
_LINES = re.compile(r":\d+(?:-\d+)?$")
_MAX_LENGTH = 240
_GLOB = frozenset("*?[{")
_KNOWN_EXTENSION = re.compile(
    r"""bat|c|cc|cfg|clj|cmake|conf|cpp|cs|csproj|css|csv|cu|dart|ejs|env|erl|exs?|fs|fsproj|fsx|gd|go
    |gradle|graphql|groovy|h|hbs|hpp|hs|html?|ico|ini|ipynb|j2|java|jl|jpg|jsonl?|jsx?|kts?|less|lock
    |lua|m|mdx?|mk|ml|mmd|mod|mts|nix|php|plist|pl|png|prisma|properties|proto|psm?1|pyi?|r|rb|rs|rst
    |sass|scala|scss|sh|sln|sol|sql|sum|svelte|svg|swift|sv|tfvars|tf|toml|tsv|tsx?|txt|v|vhd|vue|xaml
    |xml|ya?ml|zig|zsh""",
    re.IGNORECASE | re.VERBOSE,
)
_KNOWN_NAME = re.compile(
    r"Makefile|Dockerfile|Procfile|Gemfile|Rakefile|Jenkinsfile|LICENSE|CODEOWNERS"
)


def mentions(text: str) -> tuple[str, ...]:
    """The paths that prose names, each once: in inline code, or words that can only be paths."""
    found: dict[str, None] = {}
    for match in _CODE.finditer(text):
        for word in match[1].split():
            if path := normal(word):
                found.setdefault(path, None)
    for match in _WORD.finditer(_CODE.sub(" ", text)):
        of_a_url = match.string[max(match.start() - 1, 0) : match.start()] == ":"
        if not of_a_url and (path := normal(match[0])):
            found.setdefault(path, None)
    return tuple(found)


def declared(text: str) -> tuple[str, ...] | None:
    """The paths of a list such as `src/a.py, docs/**`; None where something in it is no path."""
    paths: dict[str, None] = {}
    for part in text.replace("`", " ").replace(",", " ").replace(";", " ").split():
        path = _clean(part)
        if path is None:
            return None
        paths[path] = None
    return tuple(paths) or None


def normal(word: str) -> str | None:
    """`word` as a path of the repository, or None where it looks like something else."""
    word = word.rstrip(".,:;!?)")
    if "." not in word and "/" not in word and not _KNOWN_NAME.search(word):
        return None
    path = _clean(word)
    if path is None or len(path) < 3:
        return None
    name = path.rstrip("/").rsplit("/", 1)[-1]
    extension = name.rpartition(".")[2] if "." in name else ""
    if _KNOWN_NAME.fullmatch(name) or _KNOWN_EXTENSION.fullmatch(extension):
        return path
    directory = path.endswith("/") or (path.startswith(".") and "/" in path)
    return path if directory and any(c.isalpha() for c in path) else None


def _clean(word: str) -> str | None:
    path = _LINES.sub("", word.strip("`'\"()<>")).removeprefix("./")
    parts = path.split("/")
    if not path or path[0] in "/~" or len(path) > _MAX_LENGTH or "://" in path or ".." in parts:
        return None
    return path if any(c.isalnum() or c == "*" for c in path) else None


def root(path: str) -> str:
    """The longest literal prefix of a path or glob, in whole segments."""
    parts: list[str] = []
    for part in path.strip("/").split("/"):
        if _GLOB.intersection(part):
            break
        parts.append(part)
    return "/".join(parts)


def _ancestors(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rsplit("/", 1)[0]
        yield path
    yield ""


class Writers:
    """Who writes where; finds an earlier writer whose files could be those of a later one."""

    def __init__(self) -> None:
        self._at: dict[str, str] = {}
        self._below: dict[str, tuple[str, str]] = {}

    def add(self, owner: str, paths: Iterable[str]) -> None:
        for path in paths:
            place = root(path)
            self._at.setdefault(place, owner)
            for ancestor in _ancestors(place) if place else ():
                self._below.setdefault(ancestor, (owner, place))

    def clash(self, paths: Iterable[str]) -> tuple[str, str] | None:
        """An earlier writer that may touch one of `paths`, and the path; None if all are free."""
        for path in paths:
            place = root(path)
            if place in self._at:
                return self._at[place], path
            if place in self._below:
                return self._below[place]
            for ancestor in _ancestors(place) if place else ():
                if ancestor in self._at:
                    return self._at[ancestor], path
        return None


def overlap(left: Iterable[str], right: Iterable[str]) -> str | None:
    """A path that both sets may write, or None."""
    writers = Writers()
    writers.add("", left)
    found = writers.clash(right)
    return found[1] if found else None
