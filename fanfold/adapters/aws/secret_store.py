"""Secrets in Secrets Manager, such as the key of the model API."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from fanfold.adapters.aws.failures import translated
from fanfold.errors import MissingKey

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from fanfold.ports import Clock

KEPT_S = 300.0


class _Kept(NamedTuple):
    """A value that no log or traceback shows."""

    value: str
    until: float

    def __repr__(self) -> str:
        return f"kept until {self.until}"


class SecretStore:
    """Secrets by name, each kept for `KEPT_S` seconds, so that a rotated one is soon taken up."""

    def __init__(self, client: SecretsManagerClient, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._kept: dict[str, _Kept] = {}
        self._lock = Lock()

    def get(self, name: str, *, fresh: bool = False) -> str:
        """The current value; `fresh` after the kept one was refused.

        Raises `MissingKey` for a secret without a text, or `CloudError`.
        """
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or fresh or kept.until <= self._clock.monotonic():
                kept = _Kept(self._fetch(name), self._clock.monotonic() + KEPT_S)
                self._kept[name] = kept
            return kept.value

    def _fetch(self, name: str) -> str:
        with translated(f"read secret {name!r}"):
            found = self._client.get_secret_value(SecretId=name)
        value = found.get("SecretString", "").strip()
        if not value:
            raise MissingKey(f"secret {name!r} holds no text: put the key into it")
        return value
