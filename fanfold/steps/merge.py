"""Merge: gate the patches of a wave and fold them, in plan order, onto the run's tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import InvalidPatch
from fanfold.patch import gate
from fanfold.patch import merge as engine
from fanfold.patch.conflicts import diff3
from fanfold.patch.objects import Objects
from fanfold.patch.read import read_patch
from fanfold.patch.reconcile import Resolution
from fanfold.plan.control import is_control
from fanfold.ports import REDACTION
from fanfold.run.artifacts import attempt_file, merge_file
from fanfold.run.attempt import ConflictFile
from fanfold.run.decoders import learn
from fanfold.run.events import Applied, ConflictFound, MergeCompleted, PatchHeld, PatchRejected
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    from fanfold.patch.conflicts import Conflict
    from fanfold.run.events import EventData
    from fanfold.run.state import Try, UnitState
    from fanfold.run.steps import Merge
    from fanfold.steps.journal import Journal
    from fanfold.steps.request import Request
    from fanfold.steps.wiring import Wiring


REDACTED = REDACTION.encode()


class MergeRecord(msgspec.Struct, frozen=True):
    """`merges/<seq>.json`: what conflicted in this fold and what was settled, by attempt.

    A conflict holds all its sides; a resolution its rules and the blobs it was made from.
    """

    seq: int
    base_tree: str
    tree: str
    conflicts: dict[str, tuple[ConflictFile, ...]] = {}
    resolutions: dict[str, tuple[Resolution, ...]] = {}


def merge(journal: Journal, step: Merge, wiring: Wiring) -> None:
    """Fold what the gate lets through, and append what became of each patch.

    A `patch_rejected`, `patch_held` or `conflict_found` for each that stays out, then
    `merge_completed` with the others.
    """
    _Merging(journal, step, wiring).run()


class _Merging:
    def __init__(self, journal: Journal, step: Merge, wiring: Wiring) -> None:
        self.journal, self.step, self.wiring = journal, step, wiring
        self.request: Request = load_request(wiring.artifacts, journal.run_id)
        self.plans = [p.plan for p in self.request.parts] or [self.request.plan_path]
        self.events: list[EventData] = []
        self.dropped: list[str] = []
        self.objects = Objects(wiring.repository.objects)
        self.carriers = {
            u.carrier: u for u in journal.state.units.values() if u.carrier in step.attempts
        }

    def run(self) -> None:
        incoming = [p for a in self.step.attempts if (p := self._gated(a)) is not None]
        result = engine.merge(
            self.objects,
            self.step.base_tree,
            incoming,
            structured=True,
            trees=True,
        )
        self._store(result)
        applied: list[Applied] = []
        conflicts: dict[str, tuple[ConflictFile, ...]] = {}
        for outcome in result.outcomes:
            unit = self.carriers[outcome.id].spec.id
            if isinstance(outcome, engine.Applied):
                resolved = outcome.resolved_by or "git"
                applied.append(Applied(outcome.id, unit, outcome.tree or result.tree, resolved))
            else:
                conflicts[outcome.id] = tuple(map(self._sides, outcome.conflicts))
                self.events.append(ConflictFound(outcome.id, unit, outcome.paths, result.tree))
        self._record(result, conflicts)
        self.journal.append(
            *self.events,
            MergeCompleted(
                seq=self.step.seq,
                base_tree=self.step.base_tree,
                tree=result.tree,
                applied=tuple(applied),
                dropped_paths=tuple(dict.fromkeys(self.dropped)),
            ),
        )

    def _gated(self, attempt: str) -> engine.Incoming | None:
        unit = self.carriers[attempt]
        tried = unit.try_of(attempt)
        try:
            patch = read_patch(self._bytes(tried))
            gated = gate.check(
                patch,
                self.objects,
                tried.dispatched.base_tree,
                writes=unit.spec.writes,
                control=lambda path: any(is_control(path, plan) for plan in self.plans),
                scanner=self.wiring.secrets,
                cleared=unit.cleared == attempt or self._is_given(tried),
            )
        except InvalidPatch as error:
            self._refuse(attempt, unit, error)
            return None
        self.dropped += gated.dropped_paths
        return engine.Incoming(attempt, gated.patch, tried.dispatched.base_tree, gated.edits)

    def _is_given(self, tried: Try) -> bool:
        """Whether the patch passed the gate of a run before, a person's word included."""
        return bool(self.request.parts) and tried.dispatched.number == 1

    def _bytes(self, tried: Try) -> bytes:
        run_id, attempt = self.journal.run_id, tried.attempt
        return self.wiring.artifacts.get(
            attempt_file(run_id, attempt, tried.epoch, "patch.diff"), tried.patch
        )

    def _refuse(self, attempt: str, unit: UnitState, error: InvalidPatch) -> None:
        tried = unit.try_of(attempt)
        code = "secret" if REDACTED in self._bytes(tried) else error.code
        kind = PatchHeld if code == "protected_path" else PatchRejected
        self.events.append(kind(attempt, unit.spec.id, code, error.path))

    def _store(self, result: engine.MergeResult) -> None:
        pack = result.pack()
        if pack.count:
            self.wiring.repository.store_pack(pack.name, pack.data, pack.index)
            key = merge_file(self.journal.run_id, self.step.seq, "pack")
            self.wiring.artifacts.put(key, pack.data)
        self.wiring.repository.keep(f"runs/{self.journal.run_id}/merged", result.tree)

    def _sides(self, conflict: Conflict) -> ConflictFile:
        """As whoever resolves it is told."""
        redact = self.wiring.secrets.redact
        base, ours, theirs = (
            None if version is None else redact(_lossy(version.data))
            for version in (conflict.base, conflict.ours, conflict.theirs)
        )
        return ConflictFile(conflict.path, base, ours, theirs, redact(_lossy(diff3(conflict))))

    def _record(
        self, result: engine.MergeResult, conflicts: dict[str, tuple[ConflictFile, ...]]
    ) -> None:
        settled = {
            outcome.id: outcome.resolutions
            for outcome in result.outcomes
            if isinstance(outcome, engine.Applied) and outcome.resolutions
        }
        record = MergeRecord(self.step.seq, self.step.base_tree, result.tree, conflicts, settled)
        key = merge_file(self.journal.run_id, self.step.seq, "json")
        self.wiring.artifacts.put(key, msgspec.json.encode(record))


def _lossy(data: bytes) -> str:
    return data.decode("utf-8", "replace")


learn(MergeRecord)
