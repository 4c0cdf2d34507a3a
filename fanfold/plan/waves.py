"""Places units in waves: behind what they need, never beside one that may write the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fanfold.plan.paths import Writers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fanfold.plan.model import Unit

    Paths = Mapping[str, Sequence[str] | None]


class Placement(NamedTuple):
    """Units in plan order, their waves, and whoever waits because of a file, with the reason."""

    units: tuple[Unit, ...]
    waves: tuple[tuple[str, ...], ...]
    overlaps: tuple[tuple[str, str], ...]


def place(drafted: Sequence[Unit], touched: Paths) -> Placement:
    """Give each unit its wave; one that would touch a file beside an earlier one needs that one."""
    placed: dict[str, int] = {}
    writers: list[Writers] = []
    waves: list[list[str]] = []
    done: dict[str, Unit] = {}
    overlaps: list[tuple[str, str]] = []
    for unit in topological(drafted):
        paths = touched[unit.id] or ()
        needs, why = dict.fromkeys(unit.needs), list(unit.why)
        wave = max((placed[name] + 1 for name in needs), default=0)
        while wave < len(waves) and (found := writers[wave].clash(paths)):
            needs[found[0]] = None
            why.append(f"may write {found[1] or 'any file'} as {found[0]} does")
            overlaps.append((unit.id, f"{unit.id} waits for {found[0]}: {why[-1]}"))
            wave += 1
        if wave == len(waves):
            waves.append([])
            writers.append(Writers())
        placed[unit.id] = wave
        waves[wave].append(unit.id)
        writers[wave].add(unit.id, paths)
        done[unit.id] = msgspec.structs.replace(unit, needs=tuple(needs), why=tuple(why))
    position = {unit.id: index for index, unit in enumerate(drafted)}
    return Placement(
        tuple(done[unit.id] for unit in drafted),
        tuple(tuple(sorted(wave, key=position.__getitem__)) for wave in waves),
        tuple(sorted(overlaps, key=lambda overlap: position[overlap[0]])),
    )


def beside(waves: Sequence[Sequence[str]], mentioned: Paths) -> Iterator[tuple[str, str, str]]:
    """Units of one wave that mention one file: the later, the earlier, and the file."""
    for wave in waves:
        writers = Writers()
        for name in wave:
            paths = mentioned[name] or ()
            if found := writers.clash(paths):
                yield name, *found
            writers.add(name, paths)


def topological(units: Sequence[Unit]) -> Iterator[Unit]:
    """Units behind those they need, in plan order where that leaves a choice."""
    by_id = {unit.id: unit for unit in units}
    given: set[str] = set()
    for unit in units:
        stack = [unit.id]
        while stack:
            name = stack[-1]
            missing = [need for need in by_id[name].needs if need not in given]
            if name not in given and missing:
                stack.extend(missing)
                continue
            stack.pop()
            if name not in given:
                given.add(name)
                yield by_id[name]


def critical_path(units: Sequence[Unit]) -> tuple[tuple[str, ...], float]:
    """The chain of units that takes longest, and its minutes."""
    longest: dict[str, tuple[float, str | None]] = {}
    for unit in topological(units):
        before = max(unit.needs, key=lambda name: longest[name][0], default=None)
        start = longest[before][0] if before else 0.0
        longest[unit.id] = (start + unit.minutes, before)
    if not longest:
        return (), 0.0
    name: str | None = max(longest, key=lambda name: longest[name][0])
    total = longest[name][0]
    path: list[str] = []
    while name is not None:
        path.append(name)
        name = longest[name][1]
    return tuple(reversed(path)), total
