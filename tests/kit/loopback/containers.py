"""Tasks without Docker: processes that run what the image's Dockerfile says, from its own sources.

Repaired in moto 5.2.5: a task ran nothing, stopped after being looked at four times, and needed its
container's memory even on Fargate; the interpreter did not spell requests as the service does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.ecs.models import EC2ContainerServiceBackend

from fanfold.settings import environment
from tests.kit.loopback.images import pulled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.kit.loopback.clients import ClientOf


class Containers:
    """Every task is a process with the variables of its definition and of its request."""

    def __init__(self, client: ClientOf, folder: Path, account: Mapping[str, str]) -> None:
        self._client, self._folder, self._account = client, folder, dict(account)
        self._all: list[subprocess.Popen[bytes]] = []

    def repair(self) -> None:
        """Once a process."""
        patched: Any = EC2ContainerServiceBackend
        run: Any = patched.run_task

        def requirements(_: Any) -> dict[str, Any]:
            return {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}

        def run_task(backend: Any, *args: Any, **kwargs: Any) -> Any:
            tasks = run(backend, *args, **kwargs)
            for task in tasks:
                self._start(task, backend.describe_task_definition(task.task_definition_arn))
            return tasks

        patched._calculate_task_resource_requirements = staticmethod(requirements)
        patched.run_task = run_task

    def _start(self, task: Any, definition: Any) -> None:
        _stay(task, "RUNNING")
        (container,) = definition.container_definitions
        variables = _pairs(_either(container, "environment"))
        for override in _either(task.overrides, "containerOverrides"):
            variables |= _pairs(_either(override, "environment"))
        image = pulled(self._client, _either(container, "image"))
        disk = Path(tempfile.mkdtemp(prefix="task-", dir=self._folder))
        disk.chmod(0o755)
        with (disk / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *image.command[1:]],
                env={
                    "PATH": environment()["PATH"],
                    "HOME": str(disk),
                    "TMPDIR": str(disk),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    **self._account,
                    **variables,
                },
                cwd=image.context,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._all.append(process)
        waits = threading.Thread(target=self._await, args=(task, process), daemon=True)
        waits.start()

    @staticmethod
    def _await(task: Any, process: subprocess.Popen[bytes]) -> None:
        task.containers[0].exitCode = process.wait()
        task.stopped_reason = "Essential container in task exited"
        _stay(task, "STOPPED")

    def close(self) -> None:
        for process in self._all:
            process.kill()
            process.wait()


def _stay(task: Any, status: str) -> None:
    """However often it is looked at."""
    task._transitions, task._status = [(status, status)], status


def _either(told: Mapping[str, Any], name: str) -> Any:
    """Templates capitalise names, requests do not."""
    return told.get(name, told.get(name[0].upper() + name[1:], []))


def _pairs(variables: list[Mapping[str, str]]) -> dict[str, str]:
    return {_either(each, "name"): _either(each, "value") for each in variables}


class TaskClient:
    """The ECS client as the interpreter spells it: with capitals in requests and answers."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run_task(self, **request: Any) -> Any:
        return _spelt(self._client.run_task(**_spelt(request, str.lower)), str.upper)

    def describe_tasks(self, cluster: str, tasks: list[str]) -> Any:
        answer = json.loads(
            json.dumps(self._client.describe_tasks(cluster=cluster, tasks=tasks), default=str)
        )
        return {**answer, **_spelt(answer, str.upper)}


def _spelt(value: Any, case: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {case(k[0]) + k[1:]: _spelt(v, case) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [_spelt(each, case) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return value
