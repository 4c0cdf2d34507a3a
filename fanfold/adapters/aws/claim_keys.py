"""Keys that attempts are claimed with, as items of the coordination table."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from fanfold.adapters.aws.table import ConditionFailed, Item, Put, Table, number, text
from fanfold.errors import ClaimRefused
from fanfold.run.grant import IssuedKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.ports import Clock

KIND = "claim"
VALID = timedelta(days=14)
"""Longer than an attempt can wait for its turn; whether it still may begin, the run's log says."""

_BYTES = 32
_TOGETHER = 100


class DynamoClaimKeys:
    """`ports.ClaimKeys`: an item a key, named by its digest, so that drawing twice harms nobody."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table, self._clock = table, clock

    def draw(self, run_id: str, generation: int, attempts: Sequence[str]) -> dict[str, str]:
        """Raises `CloudError`; keys that nobody heard of open nothing."""
        keys = {attempt: secrets.token_urlsafe(_BYTES) for attempt in attempts}
        until = number(int((self._clock.now() + VALID).timestamp()))
        puts = [
            Put(
                {
                    **_key(run_id, attempt, key),
                    "generation": number(generation),
                    "expires_at": until,
                },
                "attribute_not_exists(#kind)",
            )
            for attempt, key in keys.items()
        ]
        for at in range(0, len(puts), _TOGETHER):
            self._table.put_together(puts[at : at + _TOGETHER])
        return keys

    def find(self, run_id: str, attempt: str, key: str) -> IssuedKey:
        """Raises `ClaimRefused`: no such key, or it has expired and is not removed yet."""
        item = self._table.get(_key(run_id, attempt, key), "#generation, #spent_by, #expires_at")
        if item is None or int(item["expires_at"]["N"]) <= self._clock.now().timestamp():
            raise ClaimRefused(f"no key that is valid opens attempt {attempt!r} of run {run_id!r}")
        return IssuedKey(int(item["generation"]["N"]), item.get("spent_by", {"S": ""})["S"])

    def spend(self, run_id: str, attempt: str, key: str, by: str) -> None:
        try:
            self._table.update(
                _key(run_id, attempt, key),
                "SET #spent_by = :by",
                "attribute_exists(#kind) AND (attribute_not_exists(#spent_by) OR #spent_by = :by)",
                by=text(by),
            )
        except ConditionFailed:
            raise ClaimRefused(f"the key of attempt {attempt!r} was spent by another") from None


def _key(run_id: str, attempt: str, key: str) -> Item:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"kind": text(KIND), "name": text(f"{run_id}/{attempt}/{digest}")}
