"""A worker's side of `grant`: the function to call, and the lease that it holds for an attempt."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from fanfold import errors
from fanfold.adapters.aws.failures import translated
from fanfold.errors import CloudError, CloudUnavailable, FanfoldError, LeaseHeld, LeaseLost
from fanfold.run.grant import ClaimAttempt, Granted, ReleaseLease, RenewLease

if TYPE_CHECKING:
    from fanfold.ports import Clock, Grants
    from fanfold.run.grant import Request, SessionCredentials

TRIES = 4
PAUSE_S = 1.0
_SECRET_BYTES = 32
_REFUSALS = ("AttemptOver", "ClaimRefused", "LeaseLost")


class Invoker(Protocol):
    """The part of the Lambda client that calls functions."""

    def invoke(self, **request: Any) -> Any: ...


class FunctionGrants:
    """`ports.Grants` by calling the function `grant`; a call that fails is made again."""

    def __init__(self, client: Invoker, function: str, clock: Clock) -> None:
        self._client, self._function, self._clock = client, function, clock

    def __call__(self, asked: Request) -> Granted:
        """Raises what `grant` raises, `CloudUnavailable` when it fails time and again."""
        for tries_left in reversed(range(TRIES)):
            try:
                return self._ask(asked)
            except CloudUnavailable:
                if not tries_left:
                    raise
                self._clock.sleep(PAUSE_S)
        raise AssertionError

    def _ask(self, asked: Request) -> Granted:
        with translated("ask for the rights of an attempt"):
            answer = self._client.invoke(
                FunctionName=self._function, Payload=msgspec.json.encode(asked)
            )
            told = answer["Payload"].read()
        if "FunctionError" in answer:
            raise _refusal(asked, msgspec.json.decode(told))
        return msgspec.json.decode(told, type=Granted)


class GrantedLease:
    """`ports.Lease` of the one attempt that a key opens, and the credentials that go with it."""

    def __init__(self, grants: Grants, *, run_id: str, attempt: str, key: str, lease: str) -> None:
        """`lease` is the name under which the attempt is leased."""
        self._grants, self._lease = grants, lease
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        self._asked: Any = {"run_id": run_id, "attempt": attempt, "key": key, "secret": secret}
        self._owner: str | None = None
        self._ttl_s = 0.0
        self._given: SessionCredentials | None = None
        self.model_pass = ""

    def acquire(self, name: str, holder: str, ttl_s: float) -> int:
        """Raises `LeaseHeld`, `AttemptOver` or `ClaimRefused`; again gives the same epoch."""
        self._check(name)
        granted = self._grants(ClaimAttempt(owner=holder, ttl_s=ttl_s, **self._asked))
        self._owner, self._ttl_s, self._given = holder, ttl_s, granted.credentials
        self.model_pass = self._given.model_pass if self._given else ""
        return granted.epoch

    def renew(self, name: str, holder: str, ttl_s: float) -> None:
        self._check(name)
        try:
            self._grants(RenewLease(owner=holder, ttl_s=ttl_s, **self._asked))
        except LeaseLost:
            self._owner = "another"
            raise

    def release(self, name: str, holder: str) -> None:
        self._check(name)
        if holder == self._owner:
            self._grants(ReleaseLease(owner=holder, **self._asked))
            self._owner = None

    def holder(self, name: str) -> str | None:
        """As far as this process knows."""
        self._check(name)
        return self._owner

    def credentials(self) -> SessionCredentials:
        """Those that came with the claim, after that fresh ones. Raises `LeaseLost`."""
        given, self._given = self._given, None
        if given is None:
            if self._owner is None:
                raise LeaseLost(f"{self._lease!r} is not held here")
            asked = RenewLease(
                owner=self._owner, ttl_s=self._ttl_s, credentials=True, **self._asked
            )
            given = self._grants(asked).credentials
        if given is None:
            raise CloudError("grant gave no credentials")
        return given

    def _check(self, name: str) -> None:
        if name != self._lease:
            raise FanfoldError(f"this process may lease {self._lease!r}, not {name!r}")


def _refusal(asked: Request, told: dict[str, Any]) -> FanfoldError:
    """The error that the function ended with; what is none of a refusal may pass."""
    kind, said = told.get("errorType", ""), told.get("errorMessage", "")
    if kind == LeaseHeld.__name__:
        return LeaseHeld(f"{asked.run_id}/{asked.attempt}", "another process")
    if kind in _REFUSALS:
        return getattr(errors, kind)(said)
    return CloudUnavailable(f"grant failed: {said} ({kind})", kind)
