"""Executions of the state machine, one a generation of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fanfold.adapters.aws.failures import FAILURES, code_of, explained, translated
from fanfold.ports import Ending

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

ENDINGS = {ending.name: ending for ending in Ending}
GONE = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class StateMachineExecutions:
    """`ports.Executions`; a request that fails after all retries raises `CloudError`."""

    def __init__(self, client: SFNClient, state_machine: str) -> None:
        self._client, self._state_machine = client, state_machine

    def start(self, run_id: str, generation: int) -> str:
        """Gives the ARN. A name is used once: what has it already is this very execution."""
        name = f"{run_id}-{generation}"
        turn = json.dumps({"run_id": run_id, "generation": generation})
        try:
            return self._client.start_execution(
                stateMachineArn=self._state_machine, name=name, input=turn
            )["executionArn"]
        except FAILURES as error:
            if code_of(error) != "ExecutionAlreadyExists":
                raise explained(f"start execution {name!r}", error) from error
        return self.name_of(run_id, generation)

    def name_of(self, run_id: str, generation: int) -> str:
        """The ARN that the execution of a generation has, or will have."""
        parts = self._state_machine.split(":")
        return ":".join((*parts[:5], "execution", parts[6], f"{run_id}-{generation}"))

    def is_over(self, execution: str) -> bool:
        return self.ending(execution) is not None

    def ending(self, execution: str) -> Ending | None:
        with translated(f"look at execution {execution!r}"):
            found = self._client.describe_execution(executionArn=execution)
        return ENDINGS.get(found["status"])

    def events(self, execution: str) -> int:
        """The number of the last event, which Step Functions counts without a gap."""
        with translated(f"read the history of execution {execution!r}"):
            history = self._client.get_execution_history(
                executionArn=execution, reverseOrder=True, maxResults=1, includeExecutionData=False
            )
        return max(event["id"] for event in history["events"])

    def go_on(self, token: str) -> bool:
        try:
            self._client.send_task_success(taskToken=token, output="{}")
        except FAILURES as error:
            if code_of(error) in GONE:
                return False
            raise explained("let an execution go on", error) from error
        return True
