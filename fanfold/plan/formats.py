"""Chooses the reader for a plan by its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.plan import conductor

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.plan.model import Plan

READERS: dict[str, Callable[[bytes, str], Plan]] = {"conductor": conductor.parse}


def parse(data: bytes, path: str = "plan.md", *, format: str | None = None) -> Plan:
    """Read a plan of any known format. Raises InvalidPlan and nothing else."""
    return READERS[format or "conductor"](data, path)
