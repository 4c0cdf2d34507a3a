"""Canaries: each fails when moto no longer needs its repair in `tests/kit/interpreter`."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.stepfunctions.parser import utils

from tests.kit.account import shared_clients
from tests.kit.interpreter import (
    LONGEST_HISTORY,
    bounded_histories,
    calling,
    ended_executions,
    fatal_errors,
    judged_tasks,
    told_tokens,
    whole_requests,
)
from tests.kit.step_functions import Containers, Functions, Stopped, no_capacity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    Repair = Callable[[], AbstractContextManager[None]]

ROLE = "arn:aws:iam::123456789012:role/x"
SPOT = [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]
RUN_TASK: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::ecs:runTask.sync",
    "Parameters": {
        "Cluster": "c",
        "TaskDefinition": "t",
        "CapacityProviderStrategy": SPOT,
        "Overrides": {
            "ContainerOverrides": [
                {"Environment": [{"Name": "TOKEN", "Value.$": "$$.Task.Token"}]},
            ]
        },
    },
    "HeartbeatSeconds": 1,
    "TimeoutSeconds": 20,
    "End": True,
}
CALL: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "f", "Payload": {}},
    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
    "End": True,
}
CAUGHT: dict[str, Any] = {"Type": "Pass", "Result": {}, "End": True}
SUCCEEDED = ("SUCCEEDED", "")


def start(states: Mapping[str, Any]) -> str:
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    client = shared_clients().state_machines
    arn = client.create_state_machine(name="m", definition=definition, roleArn=ROLE)
    return client.start_execution(stateMachineArn=arn["stateMachineArn"], input="{}")[
        "executionArn"
    ]


def end(clients: Mapping[str, Any], repair: Repair, **states: Any) -> tuple[str, str]:
    """How an execution of the states ended, and of which error, with one repair alone."""
    with mock_aws(), calling(clients), repair():
        execution = start(states)
        while True:
            told = shared_clients().state_machines.describe_execution(executionArn=execution)
            if told["status"] != "RUNNING":
                return told["status"], told.get("error", "")
            time.sleep(0.01)


def worked(_: dict[str, str]) -> None:
    return


def killed(_: dict[str, str]) -> None:
    raise Stopped("OutOfMemoryError: Container killed", code=137)


@pytest.mark.parametrize("repair", [whole_requests, nullcontext])
def test_a_task_is_asked_for_without_its_capacity_provider(repair: Repair) -> None:
    containers = Containers(worked)
    assert end({"ecs": containers}, repair, Run=RUN_TASK) == SUCCEEDED
    (asked,) = containers.requests
    assert asked.get("CapacityProviderStrategy") == (SPOT if repair is whole_requests else None)


@pytest.mark.parametrize(
    ("repair", "told"),
    [(judged_tasks, ("FAILED", "States.TaskFailed")), (nullcontext, SUCCEEDED)],
)
def test_a_task_that_was_killed_is_taken_for_one_that_worked(
    repair: Repair, told: tuple[str, str]
) -> None:
    assert end({"ecs": Containers(killed)}, repair, Run=RUN_TASK) == told


@pytest.mark.parametrize(
    ("repair", "error"), [(judged_tasks, "AmazonECS.Unknown"), (nullcontext, "States.Runtime")]
)
def test_a_task_that_is_not_placed_is_an_error_of_the_interpreter(
    repair: Repair, error: str
) -> None:
    containers = Containers(worked)
    containers.refuse = lambda _: no_capacity()
    assert end({"ecs": containers}, repair, Run=RUN_TASK) == ("FAILED", error)


@pytest.mark.parametrize(
    ("repair", "error"),
    [(judged_tasks, "ECS.ThrottlingException"), (nullcontext, "States.Runtime")],
)
def test_what_ecs_refuses_is_an_error_of_the_interpreter(repair: Repair, error: str) -> None:
    def throttle(_: Any) -> Any:
        told: Any = {"Error": {"Code": "ThrottlingException", "Message": "rate"}}
        raise ClientError(told, "RunTask")

    containers = Containers(worked)
    containers.refuse = throttle
    assert end({"ecs": containers}, repair, Run=RUN_TASK) == ("FAILED", error)


@pytest.mark.parametrize(
    ("repair", "error", "heard"),
    [
        (told_tokens, "Worker.Crashed", True),
        (nullcontext, "Worker.Crashed", False),
        (told_tokens, "States.TaskFailed", True),
        (nullcontext, "States.TaskFailed", False),
    ],
)
def test_a_token_that_is_failed_at_once_is_heard_of_late_or_wrongly(
    repair: Repair, error: str, heard: bool
) -> None:
    class Quick(Containers):
        def run_task(self, **request: Any) -> dict[str, Any]:
            answer = super().run_task(**request)
            token = request["Overrides"]["ContainerOverrides"][0]["Environment"][0]["Value"]
            shared_clients().state_machines.send_task_failure(taskToken=token, error=error)
            return answer

    working = Quick(lambda _: time.sleep(2))
    told = end({"ecs": working}, repair, Run=RUN_TASK)
    assert (told == ("FAILED", error)) == heard, told


@pytest.mark.parametrize(
    ("repair", "told"),
    [(fatal_errors, ("FAILED", "States.DataLimitExceeded")), (nullcontext, SUCCEEDED)],
)
def test_an_answer_that_is_too_long_is_caught_with_all_else(
    repair: Repair, told: tuple[str, str]
) -> None:
    functions = Functions({"f": lambda _, __: "x" * 256 * 1024})
    assert end({"lambda": functions}, repair, Call=CALL, Caught=CAUGHT) == told


@pytest.mark.parametrize(
    ("repair", "status"), [(lambda: bounded_histories(5), "FAILED"), (nullcontext, "SUCCEEDED")]
)
def test_a_history_has_no_end(repair: Repair, status: str) -> None:
    first: dict[str, Any] = {"Type": "Pass", "Next": "Caught"}
    assert end({}, repair, First=first, Caught=CAUGHT)[0] == status
    assert LONGEST_HISTORY == 25_000


@pytest.mark.parametrize(("repair", "outlives"), [(ended_executions, False), (nullcontext, True)])
def test_an_execution_outlives_its_account(repair: Repair, outlives: bool) -> None:
    threads: Any = vars(utils)["TMP_THREADS"]
    before = len(threads)
    with ExitStack() as stack:
        for each in (mock_aws(), calling({}), repair()):
            stack.enter_context(each)
        start({"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Caught"}, "Caught": CAUGHT})
        time.sleep(0.1)
    assert any(each.is_alive() for each in threads[before:]) == outlives
