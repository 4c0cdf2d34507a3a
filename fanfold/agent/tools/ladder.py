"""Where an edit goes: exact, then forgiving trailing space, indentation, Unicode punctuation.

A rung is taken only where it matches once. Lines that the edit leaves alone keep the file's bytes.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_PUNCTUATION = str.maketrans(
    "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
    "\u00a0\u2002\u2003\u2009\u202f\u3000",
    "''''\"\"\"\"-------      ",
)


MOST_PLACES = 1_000


class Edited(msgspec.Struct, frozen=True):
    """The new text, at which line (from 1) and on which rung it matched, and how often."""

    text: str
    line: int
    rung: str = "exact"
    count: int = 1


class NoMatch(Exception):
    """Nowhere, or in more than one place; `lines` (from 1) are those places."""

    def __init__(self, lines: tuple[int, ...] = ()) -> None:
        super().__init__(lines)
        self.lines = lines


def edit(text: str, old: str, new: str, *, replace_all: bool = False) -> Edited:
    """`text` with `old` replaced by `new`; `old` must not be empty. Raises `NoMatch`."""
    if "\r\n" in text and text.count("\r\n") == text.count("\n") and "\r" not in old:
        old, new = old.replace("\n", "\r\n"), new.replace("\r\n", "\n").replace("\n", "\r\n")
    count = text.count(old)
    if count == 1 or (count and replace_all):
        return Edited(text.replace(old, new), _line(text, text.index(old)), count=count)
    if count:
        raise NoMatch(_places(text, old))
    for rung in (_trailing_space, _indentation, _punctuation):
        edited = rung(text, old, new)
        if edited is not None:
            return edited
    raise NoMatch


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _places(text: str, old: str) -> tuple[int, ...]:
    found: list[int] = []
    line, seen = 1, 0
    at = text.find(old)
    while at >= 0:
        line, seen = line + text.count("\n", seen, at), at
        found.append(line)
        at = text.find(old, at + len(old))
    return tuple(found)


def _trailing_space(text: str, old: str, new: str) -> Edited | None:
    return _by_line(text, old, new, str.rstrip, "trailing space")


def _punctuation(text: str, old: str, new: str) -> Edited | None:
    return _by_line(
        text, old, new, lambda line: line.translate(_PUNCTUATION).rstrip(), "punctuation"
    )


def _by_line(text: str, old: str, new: str, key: Callable[[str], str], rung: str) -> Edited | None:
    lines, wanted = text.split("\n"), _body(old)
    at = _only(_windows([key(line) for line in lines], [key(line) for line in wanted]))
    if at is None:
        return None
    return _spliced(lines, at, wanted, _replacement(old, new), rung)


def _indentation(text: str, old: str, new: str) -> Edited | None:
    lines, wanted = text.split("\n"), _body(old)
    flat = _dedented(wanted)
    candidates = _windows([line.strip() for line in lines], [line.strip() for line in wanted])
    if len(candidates) == MOST_PLACES:
        raise NoMatch(tuple(place + 1 for place in candidates))
    size = len(wanted)
    at = _only([i for i in candidates if _dedented(lines[i : i + size]) == flat])
    if at is None:
        return None
    mine, theirs = _margin(wanted), _margin(lines[at : at + size])
    fresh = _replacement(old, new)
    if any(line.strip() and not line.startswith(mine) for line in fresh):
        return None
    moved = [theirs + line[len(mine) :] if line.strip() else line for line in fresh]
    shifted = [theirs + line[len(mine) :] if line.strip() else line for line in wanted]
    return _spliced(lines, at, shifted, moved, "indentation")


def _body(old: str) -> list[str]:
    return old.removesuffix("\n").split("\n")


def _replacement(old: str, new: str) -> list[str]:
    if not old.endswith("\n"):
        return new.split("\n")
    return new.removesuffix("\n").split("\n") if new else []


def _windows(keys: list[str], wanted: list[str]) -> list[int]:
    """Indices where `wanted` stands in `keys`, the first 1,000; none when all of it is blank."""
    if not any(line.strip() for line in wanted):
        return []
    text, sought = ("\n".join(["", *lines, ""]) for lines in (keys, wanted))
    found: list[int] = []
    line, seen = 0, 0
    at = text.find(sought)
    while at >= 0 and len(found) < MOST_PLACES:
        line, seen = line + text.count("\n", seen, at), at
        found.append(line)
        at = text.find(sought, at + 1)
    return found


def _only(places: list[int]) -> int | None:
    if len(places) > 1:
        raise NoMatch(tuple(place + 1 for place in places))
    return places[0] if places else None


def _margin(lines: list[str]) -> str:
    margins = [line[: len(line) - len(line.lstrip())] for line in lines if line.strip()]
    low, high = min(margins, default=""), max(margins, default="")
    width = next((i for i, c in enumerate(low) if high[i : i + 1] != c), len(low))
    return low[:width]


def _dedented(lines: list[str]) -> list[str]:
    width = len(_margin(lines))
    return [line[width:].rstrip() if line.strip() else "" for line in lines]


def _spliced(lines: list[str], at: int, old: list[str], new: list[str], rung: str) -> Edited:
    window = lines[at : at + len(old)]
    ending = "\r" if window[0].endswith("\r") else ""
    result: list[str] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            result += window[i1:i2]
        else:
            result += [line.removesuffix("\r") + ending for line in new[j1:j2]]
    text = "\n".join([*lines[:at], *result, *lines[at + len(old) :]])
    return Edited(text, at + 1, rung)
