"""Secrets by name, given to who may read them; each decision is noted, no value is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import AccessDenied, MissingKey
from fanfold.run.access import Operation, for_commands
from fanfold.run.events import AccessDecided

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def secrets_of_prepare(keyring: Keyring, wanted: Sequence[str]) -> dict[str, str]:
    """Those that `[prepare]` names. Raises `AccessDenied`, or `MissingKey` where one is not set."""
    access = for_commands("[prepare]", wanted)
    found: dict[str, str] = {}
    for name in wanted:
        value = keyring.read(access, name)
        if value is None:
            raise MissingKey(f"[prepare] secrets: {name} is not set: export it, or take it out")
        found[name] = value
    return found
