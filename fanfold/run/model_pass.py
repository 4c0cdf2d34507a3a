"""A pass: what a worker shows the proxy of the model API instead of the key, which it never has."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import NamedTuple

PREFIX = "ffpass_"


class Pass(NamedTuple):
    """Whose calls are paid for, until `until` (seconds since 1970)."""

    run_id: str
    attempt: str
    until: int


def sealed(given: Pass, secret: str) -> str:
    """The pass as text that nobody without `secret` can make."""
    told = _text("/".join((given.run_id, given.attempt, str(given.until))).encode())
    return f"{PREFIX}{told}.{_seal(told, secret)}"


def opened(text: str, secret: str, now: float) -> Pass | None:
    """The pass; None if it was made without `secret`, or its time is over."""
    told, _, seal = text.removeprefix(PREFIX).partition(".")
    if not text.startswith(PREFIX) or not hmac.compare_digest(
        seal.encode(), _seal(told, secret).encode()
    ):
        return None
    run_id, attempt, until = base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)).split(b"/")
    given = Pass(run_id.decode(), attempt.decode(), int(until))
    return given if given.until > now else None


def _seal(told: str, secret: str) -> str:
    return _text(hmac.digest(secret.encode(), told.encode(), hashlib.sha256))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
