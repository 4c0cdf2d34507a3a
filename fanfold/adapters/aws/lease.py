"""Exclusive ownership of a name, as items of the coordination table."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from fanfold.adapters.aws.table import ConditionFailed, Item, Table, number, text
from fanfold.errors import LeaseHeld, LeaseLost

if TYPE_CHECKING:
    from fanfold.ports import Clock

KIND = "lease"
KEPT = timedelta(days=90)
"""How long an item outlives its lease before DynamoDB may drop it, and the epoch with it."""

_LONGEST_NAME = 900
_NOBODY = ""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Record(NamedTuple):
    """A lease as it was read; `until` in microseconds since 1970."""

    epoch: int
    holder: str
    until: int


class DynamoLease:
    """ports.Lease by conditional writes; time is the callers', whose clocks must agree to a second.

    An expired lease can be taken by anybody; until somebody does, its holder can still renew it.
    Items are removed long after, and expiry is always decided by the time that they name.
    """

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table, self._clock = table, clock

    def acquire(self, name: str, holder: str, ttl_s: float) -> int:
        """Gives the epoch; the same one to a holder that has it already.

        Raises `LeaseHeld`, or `CloudError`; to ask again after that is safe.
        """
        while True:
            record = self._read(name)
            current = self._live_holder(record)
            if current not in (None, holder):
                raise LeaseHeld(name, str(current))
            epoch = record.epoch if record else 0
            if current is None:
                epoch += 1
            if self._replace(name, record, _Record(epoch, holder, self._until(ttl_s))):
                return epoch

    def renew(self, name: str, holder: str, ttl_s: float) -> None:
        until = self._until(ttl_s)
        change = "SET #until = :until, #expires_at = :kept"
        try:
            self._table.update(
                _key(name),
                change,
                "#holder = :holder",
                holder=text(holder),
                until=number(until),
                kept=_kept(until),
            )
        except ConditionFailed:
            owner = self.holder(name) or "nobody"
            raise LeaseLost(f"{name!r} is no longer held by {holder!r} but by {owner!r}") from None

    def release(self, name: str, holder: str) -> None:
        try:
            self._table.update(
                _key(name),
                "SET #holder = :nobody, #until = :now",
                "#holder = :holder",
                nobody=text(_NOBODY),
                now=number(self._until(0)),
                holder=text(holder),
            )
        except ConditionFailed:
            return

    def holder(self, name: str) -> str | None:
        return self._live_holder(self._read(name))

    def _live_holder(self, record: _Record | None) -> str | None:
        if record is None or record.until <= self._until(0):
            return None
        return record.holder or None

    def _read(self, name: str) -> _Record | None:
        item = self._table.get(_key(name), "#epoch, #holder, #until")
        if item is None:
            return None
        return _Record(int(item["epoch"]["N"]), item["holder"]["S"], int(item["until"]["N"]))

    def _replace(self, name: str, old: _Record | None, new: _Record) -> bool:
        """Write `new` if the item is still `old`; a lost answer is found again by reading."""
        item = {
            **_key(name),
            "epoch": number(new.epoch),
            "holder": text(new.holder),
            "until": number(new.until),
            "expires_at": _kept(new.until),
        }
        condition, values = "attribute_not_exists(#kind)", {}
        if old is not None:
            condition = "#epoch = :epoch AND #holder = :holder AND #until = :until"
            values = {
                "epoch": number(old.epoch),
                "holder": text(old.holder),
                "until": number(old.until),
            }
        try:
            self._table.put(item, condition, **values)
        except ConditionFailed:
            return False
        return True

    def _until(self, ttl_s: float) -> int:
        return (self._clock.now() + timedelta(seconds=ttl_s) - _EPOCH) // timedelta(microseconds=1)


def _key(name: str) -> Item:
    if len(name.encode()) > _LONGEST_NAME:
        name = f"{name[:100]} {hashlib.sha256(name.encode()).hexdigest()}"
    return {"kind": text(KIND), "name": text(name)}


def _kept(until: int) -> dict[str, str]:
    """The time to live, in seconds as DynamoDB wants it."""
    return number(until // 1_000_000 + int(KEPT.total_seconds()))
