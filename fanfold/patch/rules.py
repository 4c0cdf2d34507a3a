"""Rules that settle a clash of lines without looking at what they mean."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from fanfold.patch.apply import split_lines
from fanfold.patch.three_way import merge_text

if TYPE_CHECKING:
    from fanfold.patch.chunks import Clash, Lines

MAX_REPEATS = 100_000
TOKEN = re.compile(rb"\d[\w.+-]*|[\w\x80-\xff]+|[ \t]+|\r?\n|[^\w\s]|\s")
NEWLINE, CARRIAGE = b"\x01n", b"\x01r"
Edit = tuple[int, int, "Lines"]


def whitespace(clash: Clash) -> Lines | None:
    """Both sides say the same, or one side only touched the ends of its lines."""
    base, ours, theirs = (
        [line.rstrip() for line in side] for side in (clash.base, clash.ours, clash.theirs)
    )
    if ours == theirs or theirs == base:
        return clash.ours
    return clash.theirs if ours == base else None


def adjacent(clash: Clash) -> Lines | None:
    """The sides changed different lines, which merely stand next to each other, or did the same."""
    ours = edits(clash.base, clash.ours)
    theirs = [edit for edit in edits(clash.base, clash.theirs) if edit not in ours]
    if any(_overlap(one, other) for one in ours for other in theirs):
        return None
    out: Lines = []
    at = 0
    for start, end, new in sorted([*ours, *theirs], key=lambda edit: edit[:2]):
        out += clash.base[at:start] + new
        at = end
    return out + clash.base[at:]


def edits(base: Lines, side: Lines) -> list[Edit]:
    """What turns `base` into `side`: replace base[start:end] by lines, line for line if it can."""
    matcher = SequenceMatcher(None, base, side, autojunk=_repeats(base, side) > MAX_REPEATS)
    found: list[Edit] = []
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        new = side[new_start:new_end]
        if tag == "replace" and end - start == len(new):
            found += [(start + at, start + at + 1, [line]) for at, line in enumerate(new)]
        elif tag != "equal":
            found.append((start, end, new))
    return found


def _repeats(base: Lines, side: Lines) -> int:
    """Pairs of equal lines, which is what makes the matcher slow."""
    counts = Counter(side)
    return sum(counts[line] for line in base)


def _overlap(one: Edit, other: Edit) -> bool:
    """Whether two edits touch the same line, or leave open which of them comes first."""
    if one[0] == one[1] or other[0] == other[1]:
        return one[0] <= other[1] and other[0] <= one[1]
    return one[0] < other[1] and other[0] < one[1]


def tokens(clash: Clash) -> Lines | None:
    """The sides changed different words or signs of the same lines."""
    if not clash.base:
        return None
    sides = [b"".join(side) for side in (clash.base, clash.ours, clash.theirs)]
    if any(b"\x01" in side for side in sides):
        return None
    merged = merge_text(*map(_one_a_line, sides))
    return split_lines(_joined(merged.data)) if merged.clean else None


def _one_a_line(text: bytes) -> bytes:
    return b"".join(
        token.replace(b"\r", CARRIAGE).replace(b"\n", NEWLINE) + b"\n"
        for token in TOKEN.findall(text)
    )


def _joined(data: bytes) -> bytes:
    return data.replace(b"\n", b"").replace(NEWLINE, b"\n").replace(CARRIAGE, b"\r")
