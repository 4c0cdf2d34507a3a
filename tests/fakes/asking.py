"""What putting a gate before a person needs: a repository where nothing changed, and artifacts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.fakes.memory import MemoryArtifactStore


def asking_wiring() -> Any:
    return SimpleNamespace(
        repository=SimpleNamespace(diff=_nothing), artifacts=MemoryArtifactStore()
    )


def _nothing(base_tree: str, tree: str) -> bytes:
    return b""
