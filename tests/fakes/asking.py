"""What putting a gate before a person needs: a repository where nothing changed, and artifacts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.fakes.memory import MemoryArtifactStore


def asking_wiring() -> Any:
    repository = SimpleNamespace(diff=lambda base_tree, tree: b"")
    return SimpleNamespace(repository=repository, artifacts=MemoryArtifactStore())
