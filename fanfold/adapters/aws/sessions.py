"""Sessions of the role of attempts: tags say which attempt, and the role's policy how far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.aws.failures import translated
from fanfold.run.grant import SessionCredentials

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

SESSION_S = 1800
"""As long as a lease: who has lost one keeps its rights for no longer than that."""

_LONGEST_NAME = 64


class AttemptSessions:
    """`ports.Sessions`; only `grant` may assume the role, so nobody else chooses the tags."""

    def __init__(self, client: STSClient, role: str) -> None:
        self._client, self._role = client, role

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
        )
