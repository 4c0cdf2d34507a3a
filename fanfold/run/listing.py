"""A run as one row of a list."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from fanfold.run.view import outcome_of

if TYPE_CHECKING:
    from fanfold.run.state import RunState

QUEUED, RUNNING, INTERRUPTED = "queued", "running", "interrupted"
UNFINISHED = frozenset({QUEUED, RUNNING})


class RunRow(msgspec.Struct, frozen=True):
    """A run in a list; money in micro-dollars, `version` that of its stream.

    `standing` is its outcome, or a word for why it has none.
    """

    run: str
    version: int
    plan: str
    standing: str
    requested_at: datetime | None
    updated_at: datetime | None
    spent: int
    reserved: int
    cap: int
    units: dict[str, int]
    batch: str = ""
    generation: int = 1


def row_of(run: str, state: RunState) -> RunRow:
    """What the log of `run` tells; whether anybody is at work on it, it does not."""
    outcome = outcome_of(state)
    return RunRow(
        run=run,
        version=state.version,
        plan=state.plan,
        standing=outcome.value if outcome else RUNNING if state.admitted else QUEUED,
        requested_at=state.requested_at,
        updated_at=state.updated_at,
        spent=state.spent,
        reserved=state.reserved,
        cap=state.cap,
        units=dict(Counter(unit.status.value for unit in state.units.values())),
        batch=state.options.batch,
        generation=state.generation,
    )
