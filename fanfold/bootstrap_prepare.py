"""Wiring of `[prepare]` in the cloud: how layers are named, made and unpacked."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fanfold.adapters.local.layer_archive import pack, unpack
from fanfold.adapters.local.prepare import layer_digest, prepare
from fanfold.adapters.local.secrets import Secrets
from fanfold.errors import PrepareFailed
from fanfold.run.environment import Failure, Layer
from fanfold.steps.environment import Environments

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.adapters.local.prepare import Checkout
    from fanfold.ports import ArtifactStore, LayerStore, Workspaces
    from fanfold.settings import Builder
    from fanfold.steps.request import Request

COMMAND_S = 1800.0
TOLD = 4000
"""Characters of a failed command's output that are kept, from its end."""


@dataclass(frozen=True)
class Preparing:
    """What preparing the trees of one run takes; `workspaces` furnish nothing.

    `base_image` is what all is made on.
    """

    request: Request
    layers: LayerStore
    workspaces: Workspaces
    base_image: str = ""

    def naming(self, tree: str) -> str:
        """The name of the tree's layer, which no other project's nor another system's has."""
        workspace = self.workspaces.open(tree, shell=False, name="prepare")
        made_from = layer_digest(workspace, self.request.prepare)
        text = "\0".join((self.request.project, self.base_image, made_from))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def environments(
        self, artifacts: ArtifactStore, started_from: Callable[[], str]
    ) -> Environments | None:
        """What trees find prepared; None in a run without `[prepare]`."""
        if not self.request.prepare:
            return None
        run_id, naming = self.request.run_id, self.naming
        return Environments(run_id, self.layers, artifacts, naming, unpack, started_from)

    def make(self, told: Builder) -> bool:
        """Make the layer and put it where all find it, or the reason why there is none.

        Gives whether it is there. Raises `CloudError`, or `SandboxUnavailable`.
        """
        if self.layers.find(told.digest) is not None:
            return True
        hosts = self.request.prepare_network
        checkout = self.workspaces.open(told.tree, shell=True, name="prepare", hosts=hosts)  # noqa: S604
        try:
            with tempfile.TemporaryDirectory(prefix="fanfold-layer-") as folder:
                self._make(told, cast("Checkout", checkout), Path(folder))
        except PrepareFailed as error:
            output = Secrets().redact(error.output)[-TOLD:]
            failed = (error.command, error.code, output, error.denied)
            self.layers.fail(told.digest, Failure(told.run_id, told.generation, *failed))
            return False
        finally:
            checkout.close()
        return True

    def _make(self, told: Builder, checkout: Checkout, folder: Path) -> None:
        files, archive = folder / "files", folder / "layer"
        files.mkdir()
        patterns = prepare(checkout, self.request.prepare, files, COMMAND_S)
        sha256 = pack(files, patterns, archive)
        self.layers.put(Layer(told.digest, sha256, archive.stat().st_size), archive)
