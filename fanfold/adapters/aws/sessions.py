"""Sessions of the role of attempts: tags say which attempt, and the role's policy how far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.aws.failures import translated
from fanfold.run.grant import SessionCredentials
from fanfold.run.model_pass import Pass, sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sts import STSClient

    from fanfold.ports import Clock

SESSION_S = 1800
"""As long as a lease: who has lost one keeps its rights for no longer than that."""

PASS_S = 12 * 3600
"""Longer than an attempt may take; what it spends is bounded by its slice all the same."""

_LONGEST_NAME = 64


class AttemptSessions:
    """`ports.Sessions`; only `grant` may assume the role, so nobody else chooses the tags.

    With `secret`, which seals them, passes to the model API come along.
    """

    def __init__(
        self, client: STSClient, role: str, clock: Clock, secret: Callable[[], str] | None = None
    ) -> None:
        self._client, self._role, self._clock, self._secret = client, role, clock, secret

    def open(self, run_id: str, attempt: str, base: str) -> SessionCredentials:
        """Raises `CloudError`."""
        tags = {"run": run_id, "attempt": attempt, "base": base}
        with translated(f"open a session for attempt {attempt!r}"):
            given = self._client.assume_role(
                RoleArn=self._role,
                RoleSessionName=f"{run_id}-{attempt}"[:_LONGEST_NAME],
                DurationSeconds=SESSION_S,
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )["Credentials"]
        return SessionCredentials(
            given["AccessKeyId"],
            given["SecretAccessKey"],
            given["SessionToken"],
            given["Expiration"],
            self._pass(run_id, attempt),
        )

    def _pass(self, run_id: str, attempt: str) -> str:
        if self._secret is None:
            return ""
        until = int(self._clock.now().timestamp()) + PASS_S
        return sealed(Pass(run_id, attempt, until), self._secret())
