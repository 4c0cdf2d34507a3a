"""A three-way merge cut into what both sides agree on and what they do not."""

from __future__ import annotations

import msgspec

from fanfold.patch.apply import split_lines
from fanfold.patch.three_way import merge_text

MARKER_SIZES = (61, 97, 151)
Lines = list[bytes]


class Clash(msgspec.Struct, frozen=True):
    """Lines of the base that both sides changed, and what each made of them.

    `before` and `after` are agreed lines around it, the nearest few.
    """

    base: Lines
    ours: Lines
    theirs: Lines
    before: Lines
    after: Lines


CONTEXT = 12


def chunks(base: bytes, ours: bytes, theirs: bytes) -> list[Lines | Clash] | None:
    """The merge in order: agreed lines, and clashes; None where the text is full of markers."""
    sides = (base, ours, theirs)
    size = next((n for n in MARKER_SIZES if not any(b"<" * n in side for side in sides)), None)
    if size is None:
        return None
    # A marker after a last line without newline would be glued to it.
    ended = [side if not side or side.endswith(b"\n") else side + b"\n" for side in sides]
    merged = merge_text(*ended, diff3=True, labels=("", "", ""), marker_size=size)
    parts = _parse(split_lines(merged.data), size)
    return _with_context(parts)


def _parse(lines: Lines, size: int) -> list[Lines | tuple[Lines, Lines, Lines]]:
    starts = [char * size for char in (b"<", b"|", b"=", b">")]
    sides: tuple[Lines, Lines, Lines] = ([], [], [])
    into: Lines = []
    parts: list[Lines | tuple[Lines, Lines, Lines]] = [into]
    for line in lines:
        mark = next((at for at, start in enumerate(starts) if line.startswith(start)), None)
        if mark is None:
            into.append(line)
        elif mark == 0:
            sides = ([], [], [])
            parts.append(sides)
            into = sides[1]
        elif mark < 3:
            into = sides[0] if mark == 1 else sides[2]
        else:
            into = []
            parts.append(into)
    return parts


def _with_context(parts: list[Lines | tuple[Lines, Lines, Lines]]) -> list[Lines | Clash]:
    out: list[Lines | Clash] = []
    for at, part in enumerate(parts):
        if isinstance(part, list):
            out.append(part)
            continue
        before, after = parts[at - 1], parts[at + 1]
        out.append(
            Clash(
                *part,
                before=before[-CONTEXT:] if isinstance(before, list) else [],
                after=after[:CONTEXT] if isinstance(after, list) else [],
            )
        )
    return out
