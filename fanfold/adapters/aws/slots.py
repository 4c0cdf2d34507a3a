"""How many runs execute at once: a fixed number of slots, each an item with its holder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from fanfold.adapters.aws.table import ConditionFailed, Item, Table, number, text
from fanfold.errors import LeaseLost

if TYPE_CHECKING:
    from fanfold.ports import Clock

KIND = "slot"

_FIELDS = "#name, #run, #execution, #until"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Slot(msgspec.Struct, frozen=True):
    """A taken slot.

    `execution` is the ARN that holds it; while there is none the slot is only claimed, until
    `until`.
    """

    number: int
    run: str
    execution: str | None
    until: datetime


class Slots:
    """At most `count` runs at a time.

    A claim without an execution expires; a slot with one is held until somebody who knows that the
    execution has ended releases it. A counter would drift where a function dies between the two.
    """

    def __init__(self, table: Table, count: int, clock: Clock) -> None:
        self._table, self._count, self._clock = table, count, clock

    def claim(self, run: str, ttl_s: float) -> int | None:
        """Take a slot for `run` for `ttl_s` seconds; gives its number, None when all are taken.

        A run that has a slot keeps it. Safe to repeat, and to call twice at once for one run.
        """
        own = self._only_one(run)
        while own is None:
            live = {slot.number for slot in self.taken() if self._is_live(slot)}
            free = next((n for n in range(self._count) if n not in live), None)
            if free is None:
                return None
            self._take(free, run, ttl_s)
            own = self._only_one(run)
        return own

    def hold(self, run: str, execution: str) -> None:
        """Say that `execution` runs in the slot of `run`, in place of an earlier generation.

        Raises `LeaseLost` when the run's claim expired and its slot was taken.
        """
        own = self._only_one(run)
        if own is None:
            raise LeaseLost(f"run {run!r} has no slot any more; claim one again")
        try:
            self._table.update(
                _key(own),
                "SET #execution = :execution",
                "#run = :run",
                execution=text(execution),
                run=text(run),
            )
        except ConditionFailed:
            raise LeaseLost(f"slot {own} of run {run!r} was taken by another") from None

    def release(self, run: str, execution: str | None = None) -> bool:
        """Free the slot of `run`; with `execution`, only while that one holds it.

        So word of an older generation's end, which may come late, frees nothing of a newer one.
        """
        released = False
        for slot in self.taken():
            if slot.run == run and execution in (None, slot.execution):
                released |= self._free(slot)
        return released

    def release_claim(self, run: str) -> bool:
        """Give back a claim that no execution followed, before it expires."""
        claims = [slot for slot in self.taken() if slot.run == run and slot.execution is None]
        freed = [self._free(claim) for claim in claims]
        return any(freed)

    def taken(self) -> list[Slot]:
        """All slots with a holder, expired claims too, by number."""
        found = self._table.query("#kind = :kind", fields=_FIELDS, kind=text(KIND))
        return [_slot(item) for item in found]

    def expired(self) -> list[Slot]:
        """Claims whose execution was never said to have started."""
        return [slot for slot in self.taken() if not self._is_live(slot)]

    def _only_one(self, run: str) -> int | None:
        """The number of the slot that `run` has; of several that raced, one stays."""
        own = [slot for slot in self.taken() if slot.run == run and self._is_live(slot)]
        own.sort(key=lambda slot: (slot.execution is None, slot.number))
        for spare in own[1:]:
            self._free(spare)
        return own[0].number if own else None

    def _take(self, slot: int, run: str, ttl_s: float) -> None:
        now = self._clock.now()
        item = {
            **_key(slot),
            "run": text(run),
            "until": number(_micros(now + timedelta(seconds=ttl_s))),
        }
        condition = "attribute_not_exists(#kind) OR "
        condition += "(attribute_not_exists(#execution) AND #until <= :now)"
        try:
            self._table.put(item, condition, now=number(_micros(now)))
        except ConditionFailed:
            return

    def _free(self, slot: Slot) -> bool:
        """Delete the item if it still is as it was read."""
        condition, values = "#run = :run AND #until = :until", {"run": text(slot.run)}
        values["until"] = number(_micros(slot.until))
        if slot.execution is None:
            condition += " AND attribute_not_exists(#execution)"
        else:
            condition += " AND #execution = :execution"
            values["execution"] = text(slot.execution)
        try:
            self._table.delete(_key(slot.number), condition, **values)
        except ConditionFailed:
            return False
        return True

    def _is_live(self, slot: Slot) -> bool:
        return slot.execution is not None or slot.until > self._clock.now()


def _key(slot: int) -> Item:
    return {"kind": text(KIND), "name": text(f"{slot:06}")}


def _slot(item: Item) -> Slot:
    execution = item["execution"]["S"] if "execution" in item else None
    until = _EPOCH + timedelta(microseconds=int(item["until"]["N"]))
    return Slot(int(item["name"]["S"]), item["run"]["S"], execution, until)


def _micros(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)
