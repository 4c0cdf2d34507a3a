"""What finished runs tell about the next one: what attempts took, and how many a unit needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.run.attempt import Purpose, Usage
from fanfold.run.events import AttemptClaimed, AttemptEnded, ModelCalled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanfold.run.events import Recorded
    from fanfold.run.state import RunState

WHOLE = frozenset({Purpose.WORK, Purpose.REPAIR, Purpose.RESOLVE})


class Seen(msgspec.Struct, frozen=True):
    """One attempt that came to its end: the usage of each of its calls, and minutes."""

    calls: tuple[Usage, ...]
    minutes: float


class Experience(msgspec.Struct, frozen=True):
    """`tries` attempts were made for `units` units of work in `runs` runs; `attempts` are known."""

    attempts: tuple[Seen, ...] = ()
    runs: int = 0
    units: int = 0
    tries: int = 0

    def __add__(self, other: Experience) -> Experience:
        return Experience(
            self.attempts + other.attempts,
            self.runs + other.runs,
            self.units + other.units,
            self.tries + other.tries,
        )


def seen(events: Sequence[Recorded]) -> Seen | None:
    """What an attempt's stream tells; None for one that has not ended or never heard a model."""
    calls: dict[str, Usage] = {}
    began = ended = None
    for event in events:
        data = event.data
        if isinstance(data, AttemptClaimed):
            began = event.timestamp
        elif isinstance(data, ModelCalled) and data.error is None:
            calls[data.message_id or str(data.call)] = data.usage
        elif isinstance(data, AttemptEnded):
            ended = event.timestamp
    if not calls or began is None or ended is None:
        return None
    return Seen(tuple(calls.values()), (ended - began).total_seconds() / 60)


def of_run(state: RunState, attempts: Iterable[Seen]) -> Experience:
    """What one run tells, whose attempts took what `attempts` say."""
    tried = [u for u in state.units.values() if u.tries]
    tries = sum(t.purpose in WHOLE for u in tried for t in u.tries)
    return Experience(tuple(attempts), 1, len(tried), tries)
