"""Functions and containers in memory: plain callables, which state machines reach as services."""

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

from botocore.exceptions import ClientError

from tests.kit.interpreter import interpreter

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

Function = Callable[[Any, "Invocation"], Any]
Container = Callable[[dict[str, str]], None]
PACE = 0.1
"""How long pauses before a retry last here, of what they should."""


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


class Stopped(Exception):
    """What a container ends with other than by itself, as ECS tells it."""

    def __init__(self, reason: str, stop_code: str = "EssentialContainerExited", code: int = 1):
        """`code` is its exit code, 0 where it never began."""
        super().__init__(reason)
        self.stop_code, self.code = stop_code, code


def no_capacity() -> dict[str, Any]:
    """What ECS answers to a request that it has no room for."""
    reason = "Capacity is unavailable at this time. Please try again later."
    return {"Tasks": [], "Failures": [{"Reason": reason}]}


class Containers:
    """The part of the ECS client that a state machine uses; `requests` are what it asked for,
    `errors` what containers ended with. `around` may stand before every container, `refuse` answer
    a request in place of a task."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._tasks: dict[str, threading.Thread] = {}
        self._ended: dict[str, Stopped] = {}
        self.requests: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.around: Callable[[Container], Container] = lambda each: each
        self.refuse: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda _: None

    def run_task(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        refused = self.refuse(request)
        if refused is not None:
            return refused
        overrides = request["Overrides"]["ContainerOverrides"][0]["Environment"]
        environment = {e["Name"]: e["Value"] for e in overrides}
        arn = f"arn:aws:ecs:us-east-1:123456789012:task/{uuid.uuid4().hex}"
        self._tasks[arn] = threading.Thread(target=self._run, args=(arn, environment), daemon=True)
        self._tasks[arn].start()
        return {"Tasks": [self._describe(request["Cluster"], arn)], "Failures": []}

    def describe_tasks(self, cluster: str, tasks: list[str]) -> dict[str, Any]:
        found = [self._describe(cluster, task) for task in tasks]
        lower = [{"lastStatus": task["LastStatus"]} for task in found]
        return {"Tasks": found, "tasks": lower}

    def _describe(self, cluster: str, task: str) -> dict[str, Any]:
        told: dict[str, Any] = {"ClusterArn": cluster, "TaskArn": task, "LastStatus": "RUNNING"}
        if self._tasks[task].is_alive():
            return told
        ended = self._ended.get(task) or Stopped("Essential container in task exited", code=0)
        container = {"Name": "worker", "ExitCode": ended.code}
        if ended.stop_code == "TaskFailedToStart":
            del container["ExitCode"]
        return {
            **told,
            "LastStatus": "STOPPED",
            "StopCode": ended.stop_code,
            "StoppedReason": str(ended),
            "Containers": [container],
        }

    def _run(self, task: str, environment: dict[str, str]) -> None:
        try:
            self.around(self._container)(environment)
        except Exception as error:
            self.errors.append(error)
            self._ended[task] = error if isinstance(error, Stopped) else Stopped(repr(error))


def throttled() -> ClientError:
    """What Lambda answers when too many invocations of a function run at once."""
    code = "TooManyRequestsException"
    metadata: Any = {"HTTPStatusCode": 429, "RequestId": "0"}
    error: Any = {"Error": {"Code": code, "Message": "rate"}, "ResponseMetadata": metadata}
    return ClientError(error, "Invoke")


@contextmanager
def interpreted(functions: Functions, containers: Containers) -> Generator[None]:
    """State machines that are started inside run, and reach nothing but these two."""
    with interpreter({"lambda": functions, "ecs": containers}, PACE):
        yield
