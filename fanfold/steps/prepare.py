"""Prepare: see to it that a layer is there for each tree that commands will run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import LeaseHeld
from fanfold.run.artifacts import prepared_file
from fanfold.run.decide import decide
from fanfold.run.environment import Failure, Prepared, needed_trees
from fanfold.run.events import RunFailed
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.ports import ArtifactStore, LayerStore, Lease
    from fanfold.run.state import RunState
    from fanfold.steps.journal import Journal

BUILDING_S = 3000.0
"""How long one builder may take; who is silent for longer is gone, and another may build."""

READY, BUILD, WAIT = "ready", "build", "wait"
_SILENT = "the container that prepares ended without a word: see its log"


class Outlook(msgspec.Struct, frozen=True):
    """What comes next: all is `ready`, somebody else builds (`wait`), or `build` that layer."""

    word: str
    tree: str = ""
    digest: str = ""


def unprepared(state: RunState, artifacts: ArtifactStore) -> tuple[str, ...]:
    """The trees that the next step needs a layer for, and for which nobody has looked yet.

    None in a run without `[prepare]`, nor where there is no container to build in.
    """
    if not state.options.containers or state.outcome is not None:
        return ()
    trees = needed_trees(decide(state), state, unit_checks=True)
    if not trees:
        return ()
    request = load_request(artifacts, state.run_id)
    if not request.prepare:
        return ()
    trees = needed_trees(decide(state), state, unit_checks=bool(request.unit_checks))
    return tuple(t for t in trees if not artifacts.exists(prepared_file(state.run_id, t)))


class Prepare:
    """One look at the trees of a run; one builder a digest, whichever run comes first."""

    def __init__(
        self,
        journal: Journal,
        artifacts: ArtifactStore,
        layers: LayerStore,
        lease: Lease,
        naming: Callable[[str], str],
    ) -> None:
        """`naming` is what the layer of a tree is called."""
        self._journal, self._artifacts = journal, artifacts
        self._layers, self._lease, self._naming = layers, lease, naming
        self._state = journal.refresh()

    def __call__(self, trees: tuple[str, ...], built: str) -> Outlook:
        """`built` is the digest whose builder has ended since the last look, "" for none.

        A base that cannot be prepared ends the run as failed, to be resumed; any other tree that
        cannot has red checks.
        """
        for tree in trees:
            digest = self._naming(tree)
            if self._layers.find(digest) is None:
                failure = self._failure(digest, built)
                if failure is None:
                    return self._outlook(tree, digest)
                self._release(digest)
                if self._is_base(tree):
                    self._journal.append(RunFailed(str(failure.error()), self._state.verified))
                    return Outlook(READY)
                self._note(tree, Prepared(digest, failure))
                continue
            self._release(digest)
            self._note(tree, Prepared(digest))
        return Outlook(READY)

    def _failure(self, digest: str, built: str) -> Failure | None:
        """Of this very generation: another one may try what failed before."""
        found = self._layers.failure(digest)
        here = (self._state.run_id, self._state.generation)
        if found and (found.run_id, found.generation) == here:
            return found
        return Failure(*here, "[prepare]", 1, _SILENT) if built == digest else None

    def _outlook(self, tree: str, digest: str) -> Outlook:
        holder = f"{self._state.run_id}/{self._state.generation}"
        try:
            self._lease.acquire(_lease_of(digest), holder, BUILDING_S)
        except LeaseHeld:
            return Outlook(WAIT, tree, digest)
        if self._layers.find(digest) is None:
            return Outlook(BUILD, tree, digest)
        return Outlook(WAIT, tree, digest)

    def _release(self, digest: str) -> None:
        holder = f"{self._state.run_id}/{self._state.generation}"
        self._lease.release(_lease_of(digest), holder)

    def _is_base(self, tree: str) -> bool:
        request = load_request(self._artifacts, self._state.run_id)
        return tree == request.base_tree

    def _note(self, tree: str, prepared: Prepared) -> None:
        key = prepared_file(self._state.run_id, tree)
        self._artifacts.put(key, msgspec.json.encode(prepared))


def _lease_of(digest: str) -> str:
    return f"deps/{digest}"
