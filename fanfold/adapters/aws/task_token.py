"""Who waits for a task of the state machine, reached by the token that the task was given."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from fanfold.adapters.aws.executions import GONE
from fanfold.adapters.aws.failures import FAILURES, code_of, explained

if TYPE_CHECKING:
    from collections.abc import Generator

    from mypy_boto3_stepfunctions import SFNClient

LONGEST_CAUSE = 4096


class NobodyWaits(Exception):
    """The token is not known any more."""


class TaskToken:
    """`ports.Callback`; a request that fails after all retries raises `CloudError`."""

    def __init__(self, client: SFNClient, token: str) -> None:
        self._client, self._token = client, token

    def beat(self) -> bool:
        try:
            with _told("say that the task lives"):
                self._client.send_task_heartbeat(taskToken=self._token)
        except NobodyWaits:
            return False
        return True

    def succeed(self) -> bool:
        try:
            with _told("say that the task is done"):
                self._client.send_task_success(taskToken=self._token, output="{}")
        except NobodyWaits:
            return False
        return True

    def fail(self, error: str, cause: str) -> bool:
        try:
            with _told("say that the task failed"):
                self._client.send_task_failure(
                    taskToken=self._token, error=error, cause=cause[:LONGEST_CAUSE]
                )
        except NobodyWaits:
            return False
        return True


@contextmanager
def _told(action: str) -> Generator[None]:
    """Raises `NobodyWaits` or `CloudError`."""
    try:
        yield
    except FAILURES as error:
        if code_of(error) in GONE:
            raise NobodyWaits from error
        raise explained(action, error) from error
