"""A conflict that a person settles: what they are given to work on, and what they gave back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import UserError
from fanfold.patch import merge as engine
from fanfold.patch.conflicts import diff3
from fanfold.patch.model import Patch
from fanfold.patch.read import read_patch
from fanfold.run.artifacts import attempt_file
from fanfold.run.attempt import Exit, Report
from fanfold.run.events import PatchGiven

if TYPE_CHECKING:
    from fanfold.ports import ArtifactStore, Repository
    from fanfold.run.state import RunState, UnitState

EPOCH = 1
MARKERS = (b"<<<<<<< ", b"||||||| ", b">>>>>>> ")


class Unsettled(msgspec.Struct, frozen=True):
    """`tree` is `base_tree` with the patch in it, and with diff3 markers in `paths`."""

    base_tree: str
    tree: str
    paths: tuple[str, ...]


def unsettled(
    state: RunState, unit: UnitState, repository: Repository, artifacts: ArtifactStore
) -> Unsettled:
    """What the last patch that was submitted and the run's tree make of each other.

    Raises `UserError` where the unit has no patch.
    """
    submitted = (t for t in reversed(unit.tries) if t.patch and t.outcome is Exit.SUBMITTED)
    tried = next(submitted, None)
    if tried is None:
        raise UserError(f"task {unit.spec.id} of run {state.run_id} has no patch to settle")
    data = artifacts.get(
        attempt_file(state.run_id, tried.attempt, tried.epoch, "patch.diff"), tried.patch
    )
    patch, base = read_patch(data), tried.dispatched.base_tree
    outcome = _merged(repository, state.tree, patch, base).outcomes[0]
    conflicts = outcome.conflicts if isinstance(outcome, engine.Conflicted) else ()
    paths = {c.path for c in conflicts}
    rest = Patch(tuple(c for c in patch.changes if paths.isdisjoint(c.paths)))
    tree = _merged(repository, state.tree, rest, base).tree
    for conflict in conflicts:
        tree = repository.replace(tree, conflict.path, diff3(conflict))
    return Unsettled(state.tree, tree, tuple(sorted(paths)))


def settled(
    state: RunState,
    unit: UnitState,
    base_tree: str,
    tree: str,
    repository: Repository,
    artifacts: ArtifactStore,
) -> PatchGiven:
    """The patch from `base_tree` to `tree` as the unit's next attempt, at no cost.

    Its artifacts are there when this returns.
    """
    name = f"{unit.spec.id}.{len(unit.tries) + 1}"
    patch = repository.diff(base_tree, tree)
    report = Report(
        attempt=name,
        unit=unit.spec.id,
        exit=Exit.SUBMITTED,
        status="done",
        summary="Conflict settled by hand.",
        files=read_patch(patch).paths,
        tree=tree,
    )
    digest = artifacts.put(attempt_file(state.run_id, name, EPOCH, "patch.diff"), patch)
    key = attempt_file(state.run_id, name, EPOCH, "report.json")
    artifacts.put(key, msgspec.json.encode(report))
    return PatchGiven(name, unit.spec.id, base_tree, tree, digest, EPOCH)


def has_markers(data: bytes) -> bool:
    """Whether a line still begins as a conflict's marker does."""
    return any(line.startswith(MARKERS) for line in data.splitlines())


def _merged(repository: Repository, tree: str, patch: Patch, base: str) -> engine.MergeResult:
    incoming = engine.Incoming("by hand", patch, base)
    result = engine.merge(repository.objects, tree, [incoming], structured=True)
    pack = result.pack()
    if pack.count:
        repository.store_pack(pack.name, pack.data, pack.index)
    return result
