"""Step Functions in memory: moto's interpreter, whose functions and containers are plain callables.

Repaired in moto 5.2.5: functions ran in Docker; containers never ran at all; `runTask` dropped
capacity providers and tags; a failure in a container did not fail its state; a token could not be
failed with an error of Step Functions itself, nor before somebody waited for it.
"""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from botocore.exceptions import ClientError
from moto.core.config import default_user_config
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback as callbacks,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_ecs as ecs_task,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimedOut

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

Function = Callable[[Any, "Invocation"], Any]
Container = Callable[[dict[str, str]], None]
DROPPED = frozenset({"CapacityProviderStrategy", "EnableECSManagedTags", "Tags"})
LOOK_S, SETTLE_S = 0.02, 0.2


@dataclass
class Invocation:
    """The context of an invocation, as the runtime hands it to a handler."""

    function_name: str
    timeout_s: float = 900.0
    memory_limit_in_mb: int = 512
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return round(1000 * (self.timeout_s - (time.monotonic() - self.started)))


class Functions:
    """The part of the Lambda client that a state machine uses."""

    def __init__(self, functions: Mapping[str, Function], timeout_s: float = 900.0) -> None:
        self._functions, self._timeout_s = functions, timeout_s

    def invoke(self, **request: Any) -> dict[str, Any]:
        name = request["FunctionName"]
        payload = json.loads(request["Payload"])
        try:
            answer: Any = self._functions[name](payload, Invocation(name, self._timeout_s))
        except ClientError:  # of the service, not of the function
            raise
        except Exception as error:  # as the runtime does
            told = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return _answer(told) | {"FunctionError": "Unhandled"}
        return _answer(answer)


def _answer(value: Any) -> dict[str, Any]:
    return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(value).encode())}


class Containers:
    """The part of the ECS client that a state machine uses; `requests` are what it asked for,
    `errors` what containers ended with. `around` may stand before every container."""

    def __init__(self, container: Container, fail: Callable[[str, str], None]) -> None:
        self._container, self._fail = container, fail
        self._tasks: dict[str, threading.Thread] = {}
        self._failed: set[str] = set()
        self.requests: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.around: Callable[[Container], Container] = lambda each: each

    def run_task(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        overrides = request["Overrides"]["ContainerOverrides"][0]["Environment"]
        environment = {e["Name"]: e["Value"] for e in overrides}
        arn = f"arn:aws:ecs:us-east-1:123456789012:task/{uuid.uuid4().hex}"
        self._tasks[arn] = threading.Thread(target=self._run, args=(arn, environment), daemon=True)
        self._tasks[arn].start()
        return {"Tasks": [self._describe(request["Cluster"], arn)]}

    def describe_tasks(self, cluster: str, tasks: list[str]) -> dict[str, Any]:
        found = [self._describe(cluster, task) for task in tasks]
        lower = [{"lastStatus": task["LastStatus"]} for task in found]
        return {"Tasks": found, "tasks": lower}

    def _describe(self, cluster: str, task: str) -> dict[str, Any]:
        ended = not self._tasks[task].is_alive() and task not in self._failed
        status = "STOPPED" if ended else "RUNNING"
        return {"ClusterArn": cluster, "TaskArn": task, "LastStatus": status}

    def _run(self, task: str, environment: dict[str, str]) -> None:
        """A failure ends the state through its token, before the task is seen to have stopped."""
        try:
            self.around(self._container)(environment)
        except Exception as error:  # any exit code but 0
            self.errors.append(error)
            self._failed.add(task)
            time.sleep(SETTLE_S)
            self._fail(environment["FANFOLD_WORKER_TASK_TOKEN"], repr(error))


def throttled() -> ClientError:
    """What Lambda answers when too many invocations of a function run at once."""
    code = "TooManyRequestsException"
    metadata: Any = {"HTTPStatusCode": 429, "RequestId": "0"}
    error: Any = {"Error": {"Code": code, "Message": "rate"}, "ResponseMetadata": metadata}
    return ClientError(error, "Invoke")


def _await_token(_: Any, env: Any, callback_endpoint: Any, heartbeat_endpoint: Any) -> Any:
    """Also hears of an outcome that came before anybody waited for it."""
    outcome = callback_endpoint.get_outcome()
    while outcome is None and env.is_running():
        beat = heartbeat_endpoint.clear_and_wait()
        outcome = callback_endpoint.get_outcome()
        if outcome is None and not beat and env.is_running():
            outcome = HeartbeatTimedOut()
    return outcome


@contextmanager
def interpreted(functions: Functions, containers: Containers) -> Generator[None]:
    """State machines that are started inside run, and reach nothing but these two."""
    with interpreter({"lambda": functions, "ecs": containers}):
        yield


@contextmanager
def interpreter(clients: Mapping[str, Any]) -> Generator[None]:
    """The interpreter, repaired; its tasks call these clients, by the names of their services."""

    def client_for(*, service: str, **_: Any) -> Any:
        return clients[service]

    before = default_user_config.get("stepfunctions", {"execute_state_machine": False})
    bindings: Any = vars(ecs_task)["_SUPPORTED_API_PARAM_BINDINGS"]
    known = bindings["runtask"]
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    bindings["runtask"] = known | DROPPED
    try:
        with (
            patch.object(lambda_eval_utils, "boto_client_for", client_for),
            patch.object(ecs_task, "boto_client_for", client_for),
            patch.object(CustomErrorName, "__init__", ErrorName.__init__),
            patch.object(
                callbacks.StateTaskServiceCallback, "_wait_for_task_token_heartbeat", _await_token
            ),
            patch.object(callbacks, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", LOOK_S),
        ):
            yield
    finally:
        default_user_config["stepfunctions"] = before
        bindings["runtask"] = known
