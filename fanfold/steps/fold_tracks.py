"""The fold of a batch as a run: its units are tracks, and their patches are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.patch.read import read_patch
from fanfold.run.artifacts import attempt_file
from fanfold.run.attempt import Exit, Report
from fanfold.run.events import PatchGiven, RunAdmitted, TaskSpec, UnitSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fanfold.run.events import EventData
    from fanfold.steps.request import Part, Request
    from fanfold.steps.wiring import Wiring

EPOCH = 1


def unit_names(parts: Iterable[Part]) -> dict[str, str]:
    """The unit of each track, in the order of the parts."""
    return {part.track: f"1.{number}" for number, part in enumerate(parts, 1)}


def plan_of(batch_id: str, parts: Iterable[Part]) -> bytes:
    """The fold as a plan: what an arbiter reads of the tracks that it brings together."""
    lines = [f"# Tracks of batch {batch_id}", "", "## Phase 1: Fold", ""]
    for part in parts:
        lines += [f"- [ ] Track {part.track}", f"  - {_one_line(part.title)}"]
        lines += [f"  - Its plan is {part.plan}"]
    return "\n".join([*lines, ""]).encode()


def parts_admitted(request: Request, wiring: Wiring) -> Iterator[EventData]:
    """What the run is made of, and the patch of each part, which is an artifact when this ends."""
    units = unit_names(request.parts)
    yield RunAdmitted(
        base_tree=request.base_tree,
        units=tuple(
            UnitSpec(
                id=units[part.track],
                tasks=(units[part.track],),
                needs=tuple(units[need] for need in part.needs),
                order=order,
                title=part.title,
            )
            for order, part in enumerate(request.parts)
        ),
        tasks=tuple(
            TaskSpec(units[part.track], part.title, "1", "work", "open", 0)
            for part in request.parts
        ),
        limits=request.limits,
        checks=request.checks,
        options=request.options,
    )
    for part in request.parts:
        yield _given(part, units[part.track], request, wiring)


def _given(part: Part, unit: str, request: Request, wiring: Wiring) -> PatchGiven:
    attempt = f"{unit}.1"
    patch = wiring.repository.diff(part.base_tree, part.tree)
    report = Report(
        attempt=attempt,
        unit=unit,
        exit=Exit.SUBMITTED,
        status="done",
        summary=f"Track {part.track}, run {part.run}: {part.title}",
        files=read_patch(patch).paths,
        tree=part.tree,
    )
    digest = _put(wiring, request, attempt, "patch.diff", patch)
    _put(wiring, request, attempt, "report.json", msgspec.json.encode(report))
    return PatchGiven(attempt, unit, part.base_tree, part.tree, digest, EPOCH)


def _put(wiring: Wiring, request: Request, attempt: str, name: str, data: bytes) -> str:
    return wiring.artifacts.put(attempt_file(request.run_id, attempt, EPOCH, name), data)


def _one_line(text: str) -> str:
    return " ".join(text.split())
