"""Slots and executions in memory, and a supervision over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanfold.errors import ClaimRefused, LeaseLost
from fanfold.run.grant import IssuedKey
from fanfold.steps.journal import BatchJournal, Journal
from fanfold.steps.wiring import Supervision
from tests.fakes.memory import ManualClock, MemoryArtifactStore, MemoryEventStore, MemoryLease

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.ports import Ending, TakenSlot


class Taken(NamedTuple):
    """`ports.TakenSlot`."""

    run: str
    execution: str | None


class MemorySlots:
    """`ports.Slots` whose claims do not expire."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._held: dict[str, str | None] = {}

    def claim(self, run: str, ttl_s: float) -> int | None:
        if run not in self._held and len(self._held) >= self._count:
            return None
        self._held.setdefault(run, None)
        return list(self._held).index(run)

    def hold(self, run: str, execution: str) -> None:
        if run not in self._held:
            raise LeaseLost(run)
        self._held[run] = execution

    def release(self, run: str, execution: str | None = None) -> bool:
        if run in self._held and execution in {None, self._held[run]}:
            del self._held[run]
            return True
        return False

    def release_claim(self, run: str) -> bool:
        if run in self._held and self._held[run] is None:
            del self._held[run]
            return True
        return False

    def taken(self) -> Sequence[TakenSlot]:
        return [Taken(run, execution) for run, execution in self._held.items()]


class MemoryExecutions:
    """`ports.Executions` that only remember; tests say which are over and how long they are."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.over: dict[str, Ending] = {}
        self.history = 10
        self.went_on: list[str] = []

    def start(self, run_id: str, generation: int) -> str:
        name = f"{run_id}-{generation}"
        if name not in self.started:
            self.started.append(name)
        return name

    def name_of(self, run_id: str, generation: int) -> str:
        return f"{run_id}-{generation}"

    def is_over(self, execution: str) -> bool:
        return execution in self.over

    def ending(self, execution: str) -> Ending | None:
        return self.over.get(execution)

    def events(self, execution: str) -> int:
        return self.history

    def go_on(self, token: str) -> bool:
        self.went_on.append(token)
        return True


class MemoryClaimKeys:
    """`ports.ClaimKeys` whose keys can be told from each other, and do not expire."""

    def __init__(self) -> None:
        self._issued: dict[tuple[str, str, str], IssuedKey] = {}

    def draw(self, run_id: str, generation: int, attempts: Sequence[str]) -> dict[str, str]:
        keys = {attempt: f"key-{len(self._issued)}-{attempt}" for attempt in attempts}
        for attempt, key in keys.items():
            self._issued[run_id, attempt, key] = IssuedKey(generation)
        return keys

    def find(self, run_id: str, attempt: str, key: str) -> IssuedKey:
        if (run_id, attempt, key) not in self._issued:
            raise ClaimRefused(attempt)
        return self._issued[run_id, attempt, key]

    def spend(self, run_id: str, attempt: str, key: str, by: str) -> None:
        issued = self.find(run_id, attempt, key)
        if issued.spent_by not in {"", by}:
            raise ClaimRefused(attempt)
        self._issued[run_id, attempt, key] = IssuedKey(issued.generation, by)


class Office(NamedTuple):
    """A supervision and the fakes that it is made of."""

    supervision: Supervision
    executions: MemoryExecutions
    events: MemoryEventStore
    clock: ManualClock


def office(slots: int = 1) -> Office:
    clock, executions = ManualClock(), MemoryExecutions()
    artifacts = MemoryArtifactStore()
    events = MemoryEventStore(clock, "demo", artifacts)
    supervision = Supervision(
        journal=lambda run_id: Journal(events, run_id),
        batch=lambda batch_id: BatchJournal(events, batch_id),
        artifacts=artifacts,
        lease=MemoryLease(clock),
        clock=clock,
        slots=MemorySlots(slots),
        executions=executions,
        keys=MemoryClaimKeys(),
    )
    return Office(supervision, executions, events, clock)
