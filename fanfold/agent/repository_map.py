"""The repository's files on one small page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BUDGET = 3_000


def repository_map(paths: Sequence[str], budget: int = BUDGET) -> str:
    """All paths where they fit `budget` characters; else folders with counts, as deep as fits."""
    every = "\n".join(paths)
    if len(every) <= budget:
        return every
    best = f"{len(paths)} files"
    for depth in range(1, 12):
        text = _at_depth(paths, depth)
        if len(text) > budget:
            break
        best = text
    return best


def _at_depth(paths: Sequence[str], depth: int) -> str:
    counts: Counter[str] = Counter()
    for path in paths:
        parts = path.split("/")
        counts["/".join(parts[:depth]) + ("/" if len(parts) > depth else "")] += 1
    return "\n".join(
        f"{name} ({count} files)" if name.endswith("/") else name
        for name, count in sorted(counts.items())
    )
