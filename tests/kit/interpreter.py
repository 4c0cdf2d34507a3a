"""moto's interpreter of state machines, repaired; its tasks call clients that it is given.

Repaired in moto 5.2.5: `runTask` dropped capacity providers and tags, took a task that failed for
one that did not, and had no word for one that ECS refused; a token could not be failed with an
error of Step Functions itself, nor before somebody waited for it; `States.ALL` caught what ends an
execution; a history had no end; an execution outlived its account.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from botocore.exceptions import ClientError
from moto.core.config import default_user_config
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback as callbacks,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_ecs as ecs_task,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimedOut
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractContextManager

DROPPED = frozenset({"CapacityProviderStrategy", "EnableECSManagedTags", "Tags"})
FATAL = frozenset({"States.Runtime", "States.DataLimitExceeded"})
LAST_WORDS = ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut", "ExecutionSucceeded")
TASK_FAILED, _FAILED = "States.TaskFailed", StatesErrorNameType.StatesTaskFailed
LONGEST_HISTORY = 25_000
PATIENCE_S = 20.0
LOOK_S = 0.02


class NotPlaced(Exception):
    """ECS answered a request with failures in place of a task."""


class TaskFailed(Exception):
    """A task has stopped, and not because its essential container was done."""


class HistoryFull(Exception):
    """An execution has had as many events as it may."""


@contextmanager
def interpreter(clients: Mapping[str, Any], pace: float = 1.0) -> Generator[None]:
    """State machines that are started inside run, and reach nothing but `clients`, by service.

    Pauses before a retry take `pace` times as long as they should.
    """
    with ExitStack() as stack:
        for repair in (calling(clients), *(each() for each in REPAIRS)):
            stack.enter_context(repair)
        pausing = SimpleNamespace(sleep=lambda seconds: time.sleep(pace * seconds))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        stack.enter_context(patch.object(retrier_decl, "time", pausing))
        yield


@contextmanager
def calling(clients: Mapping[str, Any]) -> Generator[None]:
    """No repair: it lets state machines run, and their tasks call `clients`."""

    def client_for(*, service: str, **_: Any) -> Any:
        return clients[service]

    before = default_user_config.get("stepfunctions", {"execute_state_machine": False})
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    try:
        with (
            patch.object(lambda_eval_utils, "boto_client_for", client_for),
            patch.object(ecs_task, "boto_client_for", client_for),
            patch.object(callbacks, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", LOOK_S),
        ):
            yield
    finally:
        default_user_config["stepfunctions"] = before


@contextmanager
def whole_requests() -> Generator[None]:
    """`runTask` asks for capacity providers and tags, too."""
    bindings: Any = vars(ecs_task)["_SUPPORTED_API_PARAM_BINDINGS"]
    known = bindings["runtask"]
    bindings["runtask"] = known | DROPPED
    try:
        yield
    finally:
        bindings["runtask"] = known


@contextmanager
def judged_tasks() -> Generator[None]:
    """A task of ECS that was refused, or stopped with an exit code, fails its state as such."""
    service: Any = ecs_task.StateTaskServiceEcs
    resolver, told = service._build_sync_resolver, service._from_error
    client_for: Any = vars(ecs_task)["boto_client_for"]

    def build_sync_resolver(self: Any, env: Any, *args: Any, **more: Any) -> Any:
        look = resolver(self, env, *args, **more)
        token = env.states.context_object.context_object_data["Task"]["Token"]
        endpoint = env.callback_pool_manager.get(token)

        def looked() -> Any:
            """Nothing while the task has said by its token how it ended: that is heard then."""
            task = look()
            if task is None or endpoint.get_outcome() is not None:
                return None
            if not _went_well(task):
                raise TaskFailed(json.dumps(task, default=str))
            return task

        return looked

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        name = _name_of(ex)
        if name is None:
            return told(self, env, ex)
        details: Any = {"taskFailedEventDetails": {"error": name, "cause": str(ex)}}
        error_name: Any = CustomErrorName(name) if name != TASK_FAILED else StatesErrorName(_FAILED)
        kind: Any = "TaskFailed"
        return FailureEvent(env=env, error_name=error_name, event_type=kind, event_details=details)

    with (
        patch.object(ecs_task, "boto_client_for", lambda **wanted: _Strict(client_for(**wanted))),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        patch.object(service, "_build_sync_resolver", build_sync_resolver),
        patch.object(service, "_from_error", from_error),
    ):
        yield


class _Strict:
    """A client of ECS that raises `NotPlaced`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run_task(self, **request: Any) -> Any:
        answer = self._client.run_task(**request)
        if answer.get("Failures"):
            raise NotPlaced(json.dumps(answer, default=str))
        return answer

    def describe_tasks(self, **request: Any) -> Any:
        return self._client.describe_tasks(**request)


def _went_well(task: Mapping[str, Any]) -> bool:
    return all(container.get("ExitCode") == 0 for container in task["Containers"])


def _name_of(error: Exception) -> str | None:
    match error:
        case NotPlaced():
            return "AmazonECS.Unknown"
        case TaskFailed():
            return TASK_FAILED
        case ClientError():
            code = error.response.get("Error", {}).get("Code", "")
            return f"ECS.{code.removesuffix('Exception')}Exception"
        case _:
            return None


@contextmanager
def told_tokens() -> Generator[None]:
    """A token may be failed with any error, and before somebody waits for it."""
    service: Any = callbacks.StateTaskServiceCallback
    with (
        patch.object(CustomErrorName, "__init__", ErrorName.__init__),
        patch.object(service, "_wait_for_task_token_heartbeat", _await_token),
    ):
        yield


def _await_token(_: Any, env: Any, callback_endpoint: Any, heartbeat_endpoint: Any) -> Any:
    outcome = callback_endpoint.get_outcome()
    while outcome is None and env.is_running():
        beat = heartbeat_endpoint.clear_and_wait()
        outcome = callback_endpoint.get_outcome()
        if outcome is None and not beat and env.is_running():
            outcome = HeartbeatTimedOut()
    return outcome


@contextmanager
def fatal_errors() -> Generator[None]:
    """`States.ALL` stands for no error that ends an execution."""
    declaration: Any = ErrorEqualsDecl
    evaluate = declaration._eval_body

    def evaluated(self: Any, env: Any) -> None:
        name = env.stack[-1]
        evaluate(self, env)
        if name.error_name in FATAL and name not in self.error_names:
            env.stack[-1] = False

    with patch.object(declaration, "_eval_body", evaluated):
        yield


@contextmanager
def bounded_histories(longest: int = LONGEST_HISTORY) -> Generator[None]:
    """An execution fails at its last event; so does a child of a distributed map."""
    add = EventManager.add_event

    def added(self: Any, context: Any, event_type: Any, *args: Any, **more: Any) -> int:
        number = add(self, context, event_type, *args, **more)
        if number >= longest and event_type not in LAST_WORDS:
            raise HistoryFull(f"the history has reached {longest} events")
        return number

    with patch.object(EventManager, "add_event", added):
        yield


@contextmanager
def ended_executions() -> Generator[None]:
    """Those that still run at the end are stopped, and their threads are waited for.

    Else they would go on in the next account, by the functions of the same names there.
    """
    worker: Any = ExecutionWorker
    logic, started = worker._execution_logic, list[tuple[Any, threading.Event]]()

    def tracked(self: Any) -> None:
        over = threading.Event()
        started.append((self, over))
        try:
            logic(self)
        finally:
            over.set()

    with patch.object(worker, "_execution_logic", tracked):
        try:
            yield
        finally:
            left = [(each, over) for each, over in started if not over.is_set()]
            for each, _ in left:
                _stop(each)
            stayed = [each for each, over in left if not over.wait(PATIENCE_S)]
    assert not stayed, "an execution outlives its account"


def _stop(worker: Any) -> None:
    if worker.env is None:
        return
    worker.env.set_stop(stop_date=datetime.now(UTC), error=None, cause="the account is gone")
    waited_for: list[Any] = list(worker.env.callback_pool_manager._pool.values())
    for endpoint in waited_for:
        endpoint.interrupt_all()


REPAIRS: tuple[Callable[[], AbstractContextManager[None]], ...] = (
    whole_requests,
    judged_tasks,
    told_tokens,
    fatal_errors,
    bounded_histories,
    ended_executions,
)
