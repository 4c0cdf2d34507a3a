"""Secrets by name, given to who may read them; each decision is noted, no value is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import AccessDenied
from fanfold.run.access import Operation
from fanfold.run.events import AccessDecided

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.run.access import Access


class Keyring:
    """Reads from `source`, which gives None for a name that it does not know.

    `decided` are the decisions so far, `given` what was read, for a scanner to take out again.
    """

    def __init__(self, source: Callable[[str], str | None]) -> None:
        self._source = source
        self._decided: dict[AccessDecided, None] = {}
        self._read: dict[str, str] = {}

    @property
    def decided(self) -> tuple[AccessDecided, ...]:
        return tuple(self._decided)

    @property
    def given(self) -> dict[str, str]:
        return dict(self._read)

    def read(self, access: Access, name: str) -> str | None:
        """None where there is no such secret. Raises `AccessDenied`."""
        decision = access.decide(Operation.SECRET, name)
        value = self._source(name) or None if decision.allowed else None
        if decision.allowed and value is None:
            return None
        self._decided[
            AccessDecided(
                *(Operation.SECRET, name, access.who, decision.allowed, decision.why),
                refusal=decision.refusal,
            )
        ] = None
        if value is None:
            raise AccessDenied(decision.why)
        self._read[name] = value
        return value
