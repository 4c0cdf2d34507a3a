"""Conductor's `plan.md`: upstream's grammar, and what its derivatives and people make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.plan import labels
from fanfold.plan.reader import Dialect, Reader

if TYPE_CHECKING:
    from fanfold.plan.model import Plan

NAME = "conductor"
_DIALECT = Dialect(NAME, labels.task_label)


def parse(data: bytes, path: str = "plan.md") -> Plan:
    """Read a Conductor plan. Raises InvalidPlan, with the line, and nothing else."""
    return Reader(data, path, _DIALECT).plan()
