"""Reads and marks `tracks.md` in any of its shapes: list, heading, table, `Blocked By`, emoji."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fanfold.plan.model import TaskState
from fanfold.plan.track_signs import Sign, replacement, sign_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAME = "tracks.md"
_MARK = re.compile(r"\[([ ~xX!-])\]")
_TITLE = re.compile(r"\bTrack:\s*(.+?)\s*\**\s*$")
_DEPENDS = re.compile(r"(?:depends[ _]on|blocked[ _]by|dependencies)\W*[:|]", re.IGNORECASE)
_DEPENDS_COLUMN = re.compile(r"depend|blocked", re.IGNORECASE)
_STARTED = ("🚧", "🔄", "🏗", "⏳", "🟡", "▶", "in progress")
_NAME = re.compile(r"[\w.-]+")
_LISTED = re.compile(r"`?(?P<name>[A-Za-z][\w.-]*[\w])`?\s*(?P<remark>\(.*\))?")
_ID = re.compile(r"[A-Za-z]\w*[_-][\w.-]*\w|`[\w.-]+`")
_MET = re.compile(r"done|complete|finished|archived|merged|\[x\]|✅", re.IGNORECASE)
_BEFORE = {
    TaskState.DONE: (TaskState.OPEN, TaskState.IN_PROGRESS, TaskState.BLOCKED),
    TaskState.IN_PROGRESS: (TaskState.OPEN,),
}


class Entry(msgspec.Struct, frozen=True):
    """What the list says of one track; `unknown` are names of tracks that are not there."""

    title: str = ""
    in_progress: bool = False
    depends_on: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


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
    """The list with another sign for `track`, done or in progress; every other byte stays.

    `ids` are all tracks that it may name. A list without a sign of the track stays as it is, and
    so does a sign that says as much or more.
    """
    lines = _lines(data)
    place = _sign_of(lines, track, {*ids, track})
    if place is None or place[1].state not in _BEFORE[state]:
        return data
    number, sign = place
    line = lines[number]
    lines[number] = line[: sign.start] + replacement(sign, state, lines) + line[sign.end :]
    return "".join(lines).encode("utf-8", "surrogateescape")


def carry_over(then: bytes, marked: bytes, now: bytes, ids: Iterable[str]) -> bytes:
    """`now` with the signs of the tracks `ids` that `marked` changed in `then`."""
    names = set(ids)
    for track in sorted(names):
        before, after = (_sign_of(_lines(data), track, names) for data in (then, marked))
        if before and after and before[1].state is not after[1].state in _BEFORE:
            now = mark(now, track, names, after[1].state)
    return now


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").splitlines(keepends=True)


def _sign_of(lines: list[str], track: str, ids: set[str]) -> tuple[int, Sign] | None:
    """The sign of the first entry of `track`: in its line, or in the line that opens its entry."""
    opening: tuple[int, Sign] | None = None
    for number, line in enumerate(lines):
        found = sign_of(line)
        if found or line.startswith("#"):
            opening = (number, found) if found else None
        if _DEPENDS.search(line) and not found:
            continue
        named = [name for name in _NAME.findall(line) if name in ids]
        if named[:1] == [track]:
            return opening
        if named:
            opening = None
    return None


def _depends_column(cells: list[str], known: int | None) -> int | None:
    """The column of a table that says what a track waits for, once its head was seen."""
    if not cells:
        return None
    found = [index for index, cell in enumerate(cells) if _DEPENDS_COLUMN.match(cell)]
    return found[0] if found else known


def _depending(entry: Entry, text: str, known: set[str], current: str) -> Entry:
    names = [name for name in _NAME.findall(text) if name in known and name != current]
    depends = tuple(dict.fromkeys((*entry.depends_on, *names)))
    unknown = tuple(dict.fromkeys((*entry.unknown, *_unknown(text, known))))
    return msgspec.structs.replace(entry, depends_on=depends, unknown=unknown)


def _unknown(text: str, known: set[str]) -> Iterator[str]:
    """Items that stand alone, look like an id and are none; prose and what is done are neither."""
    items = _DEPENDS.split(text)[-1].replace(";", ",").split(",")
    for item in items:
        found = _LISTED.fullmatch(item.strip(" *_\t"))
        if found is None or found["name"] in known or _MET.search(found["remark"] or ""):
            continue
        if _ID.search(item):
            yield found["name"]
