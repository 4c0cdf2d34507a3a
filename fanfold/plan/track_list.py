"""Reads and marks `tracks.md` in any of its shapes: list, heading, table, `Blocked By`, emoji."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fanfold.plan.model import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAME = "tracks.md"
_MARK = re.compile(r"\[([ ~xX!-])\]")
_TITLE = re.compile(r"\bTrack:\s*(.+?)\s*\**\s*$")
_DEPENDS = re.compile(r"(?:depends[ _]on|blocked[ _]by|dependencies)\W*[:|]", re.IGNORECASE)
_DEPENDS_COLUMN = re.compile(r"depend|blocked", re.IGNORECASE)
_STARTED = ("🚧", "🔄", "🏗", "⏳", "🟡", "▶", "in progress")
_NAME = re.compile(r"[\w.-]+")
_MARKS = {TaskState.DONE: ("x", " ~!"), TaskState.IN_PROGRESS: ("~", " ")}


class Entry(msgspec.Struct, frozen=True):
    """What the list says of one track."""

    title: str = ""
    in_progress: bool = False
    depends_on: tuple[str, ...] = ()


def read(data: bytes, ids: Iterable[str]) -> dict[str, Entry]:
    """The entries for the tracks `ids`, wherever and however the list names them."""
    known = set(ids)
    entries: dict[str, Entry] = {}
    opening = current = ""
    column: int | None = None
    for line in data.decode("utf-8", "replace").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line else []
        column = _depends_column(cells, column)
        if current and _DEPENDS.search(line):
            entries[current] = _depending(entries[current], line, known, current)
            continue
        if _MARK.search(line) or line.startswith("#"):
            opening = line
        named = [name for name in _NAME.findall(line) if name in known]
        if not named:
            continue
        current = named[0]
        started = "[~]" in opening + line or any(sign in line.casefold() for sign in _STARTED)
        title = _TITLE.search(opening)
        entries.setdefault(current, Entry(title[1] if title else "", started))
        if column is not None and column < len(cells):
            entries[current] = _depending(entries[current], cells[column], known, current)
    return entries


def mark(data: bytes, track: str, ids: Iterable[str], state: TaskState) -> bytes:
    """The list with another mark for `track`, done or in progress; every other byte stays.

    `ids` are all tracks that it may name. A list without a mark for the track stays as it is, and
    so does a mark that says as much or more.
    """
    sign, before = _MARKS[state]
    lines = data.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    place = next(_marks_of(lines, track, {*ids, track}), None)
    if place is None:
        return data
    number, found = place
    if found[1] in before:
        line = lines[number]
        lines[number] = line[: found.start(1)] + sign + line[found.end(1) :]
    return "".join(lines).encode("utf-8", "surrogateescape")


def _marks_of(lines: list[str], track: str, ids: set[str]) -> Iterator[tuple[int, re.Match[str]]]:
    """The mark of the first entry of `track`: in its line, or in the line that opens its entry."""
    opening: tuple[int, re.Match[str]] | None = None
    for number, line in enumerate(lines):
        found = _MARK.search(line)
        if found or line.startswith("#"):
            opening = (number, found) if found else None
        if _DEPENDS.search(line) and not found:
            continue
        named = [name for name in _NAME.findall(line) if name in ids]
        if named[:1] == [track]:
            if opening is not None:
                yield opening
            return
        if named:
            opening = None


def _depends_column(cells: list[str], known: int | None) -> int | None:
    """The column of a table that says what a track waits for, once its head was seen."""
    if not cells:
        return None
    found = [index for index, cell in enumerate(cells) if _DEPENDS_COLUMN.match(cell)]
    return found[0] if found else known


def _depending(entry: Entry, text: str, known: set[str], current: str) -> Entry:
    names = [name for name in _NAME.findall(text) if name in known and name != current]
    depends = tuple(dict.fromkeys((*entry.depends_on, *names)))
    return msgspec.structs.replace(entry, depends_on=depends)
