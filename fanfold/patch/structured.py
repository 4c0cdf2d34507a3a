"""The ladder before the arbiter: rules that settle a conflict no model is needed for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.patch.chunks import Clash, Lines, chunks
from fanfold.patch.content import Resolved
from fanfold.patch.grammar import is_lock, still_parses
from fanfold.patch.rules import adjacent, tokens, whitespace
from fanfold.patch.unions import definitions, entries, imports

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.patch.content import Text

MAX_BYTES, MAX_LINES = 1_000_000, 2000
CRLF, LF = b"\r\n", b"\n"

RUNGS: tuple[tuple[str, Callable[[Clash, str], Lines | None]], ...] = (
    ("whitespace", lambda clash, _: whitespace(clash)),
    ("adjacent_lines", lambda clash, _: adjacent(clash)),
    ("imports", imports),
    ("list_entries", entries),
    ("definitions", definitions),
    ("tokens", lambda clash, _: tokens(clash)),
)


def settle(text: Text) -> Resolved | None:
    """The merged file with the rules that every clash needed, or None where one clash defies all.

    A result that no longer parses, where the grammar is known, is none. Lock files are never merged
    by rule.
    """
    sides = (text.base, text.ours, text.theirs)
    if is_lock(text.path) or max(map(len, sides)) > MAX_BYTES:
        return None
    settled = _with_one_line_end(text) or _climb(text.path, *sides)
    if settled is None or not still_parses(text.path, settled.data, (text.ours, text.theirs)):
        return None
    return settled


def _climb(path: str, base: bytes, ours: bytes, theirs: bytes) -> Resolved | None:
    parts = chunks(base, ours, theirs)
    if parts is None:
        return None
    out: Lines = []
    used: list[str] = []
    for part in parts:
        if isinstance(part, Clash):
            rule, lines = _first(part, path)
            if lines is None:
                return None
            used.append(rule)
            out += lines
        else:
            out += part
    data = b"".join(out)
    if not ours.endswith(LF) and not theirs.endswith(LF):
        data = data.removesuffix(LF)
    return Resolved(data, tuple(dict.fromkeys(used)))


def _first(clash: Clash, path: str) -> tuple[str, Lines | None]:
    if max(map(len, (clash.base, clash.ours, clash.theirs))) > MAX_LINES:
        return "", None
    for name, rule in RUNGS:
        lines = rule(clash, path)
        if lines is not None:
            return name, lines
    return "", None


def _with_one_line_end(text: Text) -> Resolved | None:
    """Where one side changed every line end, merge as if none had, then do as that side did."""
    ends = [_line_end(side) for side in (text.base, text.ours, text.theirs)]
    if None in ends or len(set(ends)) == 1:
        return None
    base, ours, theirs = (side.replace(CRLF, LF) for side in (text.base, text.ours, text.theirs))
    settled = _climb(text.path, base, ours, theirs)
    if settled is None:
        return None
    end = ends[1] if ends[1] != ends[0] else ends[2]
    data = settled.data.replace(LF, CRLF) if end == CRLF else settled.data
    return Resolved(data, ("line_ends", *settled.rules))


def _line_end(data: bytes) -> bytes | None:
    """What ends the lines, if all of them end alike."""
    crlf, lf = data.count(CRLF), data.count(LF)
    if crlf == 0:
        return LF
    return CRLF if crlf == lf else None
