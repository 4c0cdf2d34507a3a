"""spec-kit's `tasks.md`: `- [ ] T012 [P] [US1] Create … in src/model.py`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fanfold.plan import labels
from fanfold.plan.reader import Dialect, Reader
from fanfold.plan.stories import with_needs

if TYPE_CHECKING:
    from fanfold.plan.model import Plan

NAME = "speckit"
_SIGN = re.compile(r"\[(P|US\d{1,3}|Story|[A-Z]{2,12}\d{0,3})\] ?")


def parse(data: bytes, path: str = "tasks.md") -> Plan:
    """Read a spec-kit task list. Raises InvalidPlan, with the line, and nothing else."""
    return with_needs(Reader(data, path, _DIALECT).plan())


def _label(text: str) -> labels.TaskLabel:
    """`[P]` says that a task may run beside its neighbours; `[US1]` only names its story."""
    label = labels.task_label(text)
    title, parallel = label.title, label.parallel
    while sign := _SIGN.match(title):
        parallel = parallel or sign[1] == "P"
        title = title[sign.end() :]
    return msgspec.structs.replace(label, title=title or label.title, parallel=parallel)


_DIALECT = Dialect(
    NAME,
    _label,
    tags=frozenset("P"),
    conditions=False,
    example="- [ ] T001 Create … in src/…",
)
