"""The files of the repository that are deployed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from infra.bundle import ROOT, bundle, image_context

if TYPE_CHECKING:
    from pathlib import Path

    from infra.bundle import Bundle, Bundler

DEFINITION = "statemachines/run.asl.json"
WORKER = "containers/worker/main.py"
CHECK = "containers/check/Dockerfile"


class Sources:
    """Handlers, the state machine's definition and the worker; bundles are made once each."""

    def __init__(self, root: Path = ROOT, bundler: Bundler = bundle) -> None:
        self.root, self._bundler = root, bundler
        self._bundles: dict[tuple[str, ...], Bundle] = {}

    def bundle(self, omit: tuple[str, ...]) -> Bundle:
        """The zip's contents without the packages `omit`."""
        if omit not in self._bundles:
            self._bundles[omit] = self._bundler(self.root, omit)
        return self._bundles[omit]

    def definition(self) -> str:
        """The state machine's definition; empty where there is none."""
        path = self.root / DEFINITION
        return path.read_text("utf-8") if path.exists() else ""

    def image_context(self) -> Bundle:
        """What the worker's image is built from."""
        return image_context(self.root)

    @cached_property
    def has_worker(self) -> bool:
        return (self.root / WORKER).exists()

    @cached_property
    def has_check(self) -> bool:
        return (self.root / CHECK).exists()
