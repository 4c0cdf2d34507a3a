"""What the base tree's `.gitattributes` say of a path, as far as merging needs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import InvalidPatch
from fanfold.patch.globs import compile_ignore
from fanfold.patch.three_way import MARKER

if TYPE_CHECKING:
    from fanfold.patch.objects import Objects
    from fanfold.patch.trees import Tree

FILE = ".gitattributes"
MAX_BYTES = 1_000_000
MAX_MARKER = 200
State = str | bool
BINARY: dict[str, State] = {"diff": False, "merge": False, "text": False}


class Driver(msgspec.Struct, frozen=True):
    """How a path is merged; `text` says that its line ends may be normalised."""

    binary: bool = False
    union: bool = False
    text: bool = False
    marker_size: int = MARKER


class _Rule(msgspec.Struct, frozen=True):
    pattern: re.Pattern[str]
    states: dict[str, State | None]


class Attributes:
    """Reads `.gitattributes` files of one tree when a path below them is asked for."""

    def __init__(self, tree: Tree, objects: Objects) -> None:
        self._tree, self._objects = tree, objects
        self._files: dict[str, list[_Rule]] = {}

    def driver(self, path: str) -> Driver:
        """The merge driver of `path`; one that git does not know is its text driver."""
        states = self._states(path)
        merge = states.get("merge")
        size = states.get("conflict-marker-size")
        return Driver(
            binary=merge is False or merge == "binary",
            union=merge == "union",
            text=bool(states.get("text")) or states.get("eol") in ("lf", "crlf"),
            marker_size=_size(size) if isinstance(size, str) else MARKER,
        )

    def _states(self, path: str) -> dict[str, State]:
        states: dict[str, State | None] = {}
        directory = ""
        for part in ("", *path.split("/")[:-1]):
            directory = f"{directory}{part}/" if part else ""
            for rule in self._rules(directory):
                if rule.pattern.fullmatch(path[len(directory) :]):
                    states.update(rule.states)
        return {name: state for name, state in states.items() if state is not None}

    def _rules(self, directory: str) -> list[_Rule]:
        if directory not in self._files:
            self._files[directory] = self._read(directory + FILE)
        return self._files[directory]

    def _read(self, path: str) -> list[_Rule]:
        entry = self._tree.file(path)
        if entry is None:
            return []
        try:
            data = self._objects.blob(entry.oid, path)
        except InvalidPatch:
            return []
        text = data[:MAX_BYTES].decode("utf-8", "replace").removeprefix("\ufeff")
        return parse(text)


def parse(text: str) -> list[_Rule]:
    """Rules in order; macros are those built into git."""
    rules: list[_Rule] = []
    for line in text.split("\n"):
        words = line.split()
        if len(words) < 2 or words[0].startswith(("#", "!", "[attr]")):
            continue
        pattern = compile_ignore(words[0].strip('"'))
        if pattern is not None:
            rules.append(_Rule(pattern, _parse_states(words[1:])))
    return rules


def _parse_states(words: list[str]) -> dict[str, State | None]:
    states: dict[str, State | None] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word == "binary":
            states.update(BINARY)
        elif word.startswith("-"):
            states[word[1:]] = False
        elif word.startswith("!"):
            states[word[1:]] = None
        else:
            states[name] = value if equals else True
    return states


def _size(value: str) -> int:
    return (
        int(value)
        if value.isascii() and value.isdigit() and 0 < int(value) <= MAX_MARKER
        else MARKER
    )
