"""Environment: what a tree of a run in the cloud finds prepared, by the layers that were made."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import ArtifactMissing, PrepareFailed
from fanfold.run.artifacts import prepared_file
from fanfold.run.environment import Prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.ports import ArtifactStore, LayerStore
    from fanfold.run.environment import Layer

    Unpack = Callable[[Path, Path, str], Sequence[str]]


class Environments:
    """The layers of a run's trees.

    `naming` tells what a tree's layer is called; `unpack` puts an archive with that SHA-256 into a
    folder. A tree that nobody looked at, as an attempt is only making it, has what the tree
    `started_from` has, unless its own is there.
    """

    def __init__(
        self,
        run_id: str,
        layers: LayerStore,
        artifacts: ArtifactStore,
        naming: Callable[[str], str],
        unpack: Unpack,
        started_from: Callable[[], str],
    ) -> None:
        self._run_id, self._layers, self._artifacts = run_id, layers, artifacts
        self._naming, self._unpack, self._started_from = naming, unpack, started_from

    def of(self, tree: str) -> Layer:
        """Raises `PrepareFailed` where a command did, or where nothing was made."""
        prepared = self._looked_at(tree)
        if prepared is None and (own := self._layers.find(self._naming(tree))) is not None:
            return own
        prepared = prepared or self._looked_at(self._started_from())
        if prepared is not None and prepared.failure is not None:
            raise prepared.failure.error()
        layer = self._layers.find(prepared.digest) if prepared else None
        if layer is None:
            raise PrepareFailed("[prepare]", 1, f"nothing was made for the tree {tree}")
        return layer

    def furnish(self, tree: str, root: Path) -> Sequence[str]:
        """Put the layer of `tree` into the empty folder `root`; gives patterns to leave out."""
        layer = self.of(tree)
        with tempfile.TemporaryDirectory(prefix="fanfold-layer-") as folder:
            archive = Path(folder) / layer.digest
            self._layers.fetch(layer, archive)
            return self._unpack(archive, root, layer.sha256)

    def _looked_at(self, tree: str) -> Prepared | None:
        try:
            data = self._artifacts.get(prepared_file(self._run_id, tree))
        except ArtifactMissing:
            return None
        return msgspec.json.decode(data, type=Prepared)
