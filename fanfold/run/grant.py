"""What a worker asks `grant` for, and what it is given; no secret of it is ever printed."""

from __future__ import annotations

from datetime import datetime

import msgspec

from fanfold.run.decoders import learn


class Asked(msgspec.Struct, frozen=True, tag_field="ask"):
    """A request for the attempt `attempt` by the process that calls itself `owner`.

    `key` was drawn for one dispatch of it, and `secret` by the process: the first to use the key
    binds it to its secret, and for all others it is spent.
    """

    run_id: str
    attempt: str
    owner: str
    key: str
    secret: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.run_id!r}, {self.attempt!r}, {self.owner!r})"


class ClaimAttempt(Asked, frozen=True, tag="claim"):
    """Give the lease for `ttl_s` seconds, and credentials."""

    ttl_s: float


class RenewLease(Asked, frozen=True, tag="renew"):
    """Prolong the lease to `ttl_s` seconds from now, with fresh `credentials` or without."""

    ttl_s: float
    credentials: bool = False


class ReleaseLease(Asked, frozen=True, tag="release"):
    """Take the lease back."""


Request = ClaimAttempt | RenewLease | ReleaseLease


class SessionCredentials(msgspec.Struct, frozen=True):
    """Credentials of the cloud that reach as far as one attempt, until `expires` (aware).

    With them comes a pass to the model API, where that is reached through the proxy.
    """

    access_key: str
    secret_key: str
    token: str
    expires: datetime
    model_pass: str = ""

    def __repr__(self) -> str:
        return f"SessionCredentials(expires={self.expires.isoformat()})"


class Granted(msgspec.Struct, frozen=True):
    """The epoch of the lease (0 where it was not asked for), and credentials where they were."""

    epoch: int = 0
    credentials: SessionCredentials | None = None


class IssuedKey(msgspec.Struct, frozen=True):
    """What is kept of a key: the generation it was drawn in, and the digest of who spent it."""

    generation: int
    spent_by: str = ""


learn(Request, Granted)
