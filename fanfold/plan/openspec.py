"""OpenSpec's `tasks.md`: sections `## 1. Name` with items `- [ ] 1.1 …`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fanfold.plan import labels
from fanfold.plan.reader import Dialect, Reader

if TYPE_CHECKING:
    from fanfold.plan.model import Plan

NAME = "openspec"
_NUMBERED = re.compile(r"(\d{1,3})(?:[.):]|\s)\s*(.+)")


def parse(data: bytes, path: str = "tasks.md") -> Plan:
    """Read an OpenSpec task list. Raises InvalidPlan, with the line, and nothing else."""
    return Reader(data, path, _DIALECT).plan()


def _phase(heading: str, level: int) -> labels.PhaseLabel | None:
    match = _NUMBERED.match(labels.plain(heading)) if level > 1 else None
    return labels.PhaseLabel(match[1], match[2]) if match else labels.phase_label(heading, level)


_DIALECT = Dialect(NAME, labels.task_label, phase=_phase, conditions=False, example="- [ ] 1.1 …")
