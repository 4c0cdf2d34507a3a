"""Fold: the merge engine alone, for patches made by anyone; gated, folded in order, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import InvalidPatch
from fanfold.patch import gate
from fanfold.patch import merge as engine
from fanfold.patch.bisect import find_guilty
from fanfold.patch.read import read_patch
from fanfold.plan.control import is_any_control

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.patch.model import Patch
    from fanfold.ports import Checks, Repository, SecretScanner

CHECK_S = 600.0


class Given(msgspec.Struct, frozen=True):
    """A patch as it was given: its name for people, and its bytes."""

    name: str
    data: bytes


class Folded(msgspec.Struct, frozen=True):
    """What became of a patch; `tree` is the tree right after it, where it was applied."""

    name: str
    state: str
    paths: tuple[str, ...] = ()
    reason: str | None = None
    resolved_by: str | None = None
    tree: str | None = None


class Fold(msgspec.Struct, frozen=True):
    """The tree with every applied patch in it, which is in the repository; rows in the order given.

    `checks` are pairs of a command and whether it was green on that tree; `blamed` are the names of
    the patches that were taken out because of a check.
    """

    tree: str
    rows: tuple[Folded, ...]
    checks: tuple[tuple[str, bool], ...] = ()
    blamed: tuple[str, ...] = ()


def fold_patches(
    repository: Repository,
    base_tree: str,
    given: Sequence[Given],
    *,
    structured: bool,
    secrets: SecretScanner,
    commands: Sequence[str] = (),
    checks: Checks | None = None,
) -> Fold:
    """Fold `given` onto `base_tree`, whose tree every patch was made against.

    With `commands`, a red result is bisected and the guilty patches are taken out. What is no patch
    or is refused by the gate becomes a row, not an error.
    """
    folding = _Folding(repository, base_tree, structured=structured, secrets=secrets)
    folding.gate(given)
    if not commands or checks is None:
        return folding.result(folding.incoming, ())

    def greens(kept: Sequence[int]) -> tuple[tuple[str, bool], ...]:
        tree = folding.tree_of(kept)
        results = checks.run(tree, [(c, CHECK_S) for c in commands])
        ran = zip(commands, results, strict=True)
        return tuple((c, r.exit_code == 0 and not r.timed_out) for c, r in ran)

    return _checked(folding, _cached(folding, greens))


def _cached(
    folding: _Folding, run: Callable[[Sequence[int]], tuple[tuple[str, bool], ...]]
) -> Callable[[Sequence[int]], tuple[tuple[str, bool], ...]]:
    known: dict[str, tuple[tuple[str, bool], ...]] = {}

    def look(kept: Sequence[int]) -> tuple[tuple[str, bool], ...]:
        tree = folding.tree_of(kept)
        if tree not in known:
            known[tree] = run(kept)
        return known[tree]

    return look


def _checked(
    folding: _Folding, results: Callable[[Sequence[int]], tuple[tuple[str, bool], ...]]
) -> Fold:
    """Blame patches only for what is green without them."""
    red_before = {command for command, ok in results([]) if not ok}

    def is_green(kept: Sequence[int]) -> bool:
        return all(ok or command in red_before for command, ok in results(kept))

    verdict = find_guilty(len(folding.incoming), is_green, known_red=False)
    kept = [i for i in range(len(folding.incoming)) if i not in verdict.guilty]
    blamed = tuple(folding.incoming[i].id for i in verdict.guilty)
    folded = folding.result([folding.incoming[i] for i in kept], blamed)
    return msgspec.structs.replace(folded, checks=results(kept))


class _Folding:
    """Gated patches, and the trees that some of them make."""

    def __init__(
        self, repository: Repository, base_tree: str, *, structured: bool, secrets: SecretScanner
    ) -> None:
        self.repository, self.base_tree = repository, base_tree
        self.structured, self.secrets = structured, secrets
        self.incoming: list[engine.Incoming] = []
        self.rows: dict[str, Folded] = {}
        self.names: dict[str, str] = {}
        self.patches: dict[str, Patch] = {}

    def gate(self, given: Sequence[Given]) -> None:
        for number, patch in enumerate(given):
            key = str(number)
            self.names[key] = patch.name
            try:
                gated = gate.check(
                    read_patch(patch.data),
                    self.repository.objects,
                    self.base_tree,
                    control=is_any_control,
                    scanner=self.secrets,
                )
            except InvalidPatch as error:
                paths = (error.path,) if error.path is not None else ()
                self.rows[key] = Folded(patch.name, "rejected", paths, error.code)
                continue
            self.patches[key] = gated.patch
            self.incoming.append(engine.Incoming(key, gated.patch, self.base_tree))

    def tree_of(self, kept: Sequence[int]) -> str:
        return self._store(self._merge([self.incoming[i] for i in kept])).tree

    def result(self, kept: Sequence[engine.Incoming], blamed: tuple[str, ...]) -> Fold:
        merged = self._store(self._merge(kept, trees=True))
        rows = dict(self.rows)
        for key in blamed:
            rows[key] = Folded(self.names[key], "rejected", self.patches[key].paths, "check_failed")
        for outcome in merged.outcomes:
            rows[outcome.id] = self._row(outcome)
        ordered = tuple(rows[key] for key in self.names)
        return Fold(merged.tree, ordered, (), tuple(self.names[key] for key in blamed))

    def _row(self, outcome: engine.Applied | engine.Conflicted) -> Folded:
        name = self.names[outcome.id]
        if isinstance(outcome, engine.Conflicted):
            return Folded(name, "conflicted", outcome.paths, "conflict")
        paths = self.patches[outcome.id].paths
        return Folded(name, "applied", paths, None, outcome.resolved_by, outcome.tree)

    def _merge(
        self, incoming: Sequence[engine.Incoming], *, trees: bool = False
    ) -> engine.MergeResult:
        return engine.merge(
            self.repository.objects,
            self.base_tree,
            incoming,
            structured=self.structured,
            trees=trees,
        )

    def _store(self, merged: engine.MergeResult) -> engine.MergeResult:
        pack = merged.pack()
        if pack.count:
            self.repository.store_pack(pack.name, pack.data, pack.index)
        return merged
