"""Finds the guilty among merged patches, with as few runs of the checks as can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Verdict(msgspec.Struct, frozen=True):
    """The guilty patches in the order they were found, and how many probes it took."""

    guilty: tuple[int, ...]
    probes: int


def first_red(count: int, is_green: Callable[[int], bool]) -> int:
    """Of `count` patches in order, the first whose prefix is red.

    The whole is known to be red, nothing to be green. `is_green(k)` probes the first `k` patches,
    0 < k < count. Of patches that fail only together this names the later one, whose coming made
    the prefix red. Takes at most ⌈log2(count)⌉ probes.
    """
    green, red = 0, count
    while red - green > 1:
        middle = (green + red) // 2
        if is_green(middle):
            green = middle
        else:
            red = middle
    return red - 1


def find_guilty(
    count: int, is_green: Callable[[Sequence[int]], bool], *, known_red: bool = True
) -> Verdict:
    """Take guilty patches out, one at a time, until the rest is green.

    `is_green(kept)` probes the merge of the patches with these indexes, in order; the caller caches
    by tree. A prefix once green stays green when later patches go, so each search starts where the
    one before ended. With `known_red` the whole batch was probed before and does not count.
    """
    kept = list(range(count))
    guilty: list[int] = []
    probes = floor = 0

    def probe(members: Sequence[int]) -> bool:
        nonlocal probes
        probes += 1
        return is_green(members)

    red = known_red or not probe(kept)
    while red:
        start = floor
        offset = first_red(len(kept) - start, lambda size, at=start: probe(kept[: at + size]))
        floor = start + offset
        guilty.append(kept.pop(floor))
        red = floor < len(kept) and not probe(kept)
    return Verdict(tuple(guilty), probes)
