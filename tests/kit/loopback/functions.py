"""Functions without Docker: processes of their zip or image, with the deployed environment.

Repaired in moto 5.2.5: a function ran in a container, and so not at all where there is no Docker; a
published version was told the place of whatever code its function got later.
"""

from __future__ import annotations

import io
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from moto.awslambda.models import LambdaFunction

from tests.kit.loopback.images import pulled
from tests.kit.loopback.runtime_api import ImageEnvironment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.kit.loopback.clients import ClientOf

RUNTIME = Path(__file__).with_name("runtime.py")
INTERPRETER: str = getattr(sys, "_base_executable", sys.executable)


class Functions:
    """Execution environments that stay warm, one a concurrent invocation; each has its own /tmp.

    They see the variables of the service, the deployed ones, and those that lead them to this
    account. Those of a zip see neither the packages of the tests nor any program of this machine.
    """

    def __init__(self, client: ClientOf, folder: Path, account: Mapping[str, str]) -> None:
        self._client, self._folder, self._account = client, folder, dict(account)
        self._lock = threading.Lock()
        self._code: dict[str, Path] = {}
        self._idle: dict[tuple[str, ...], list[Environment]] = defaultdict(list)
        self._all: list[Environment] = []

    def repair(self) -> None:
        """Once a process."""
        patched: Any = LambdaFunction

        def invoke(function: Any, event: Any = None) -> tuple[str, bool, str]:
            return self.invoke(function, json.loads(event) if isinstance(event, str) else event)

        publish: Any = patched.set_version

        def set_version(function: Any, version: int) -> None:
            function.code = dict(function.code)
            publish(function, version)

        patched._invoke_lambda, patched.set_version = invoke, set_version

    def invoke(self, function: Any, event: Any) -> tuple[str, bool, str]:
        """The answer as JSON, whether it is an error, and what was logged."""
        told = {
            "event": event,
            "function_name": function.function_name,
            "function_version": str(function.version),
            "invoked_function_arn": function.function_arn,
            "memory_limit_in_mb": int(function.memory_size),
            "aws_request_id": str(uuid.uuid4()),
            "timeout_s": float(function.timeout),
        }
        environment = self._take(function)
        answer, log = environment.answer(told)
        if answer is not None:
            with self._lock:
                self._idle[_kind(function)].append(environment)
        function.logs_backend.ensure_log_group(function.logs_group_name)
        if log:
            function.save_logs(log)
        if answer is None:
            answer = {"error": {"errorType": "Runtime.ExitError", "errorMessage": "it has ended"}}
        failed = "error" in answer
        return json.dumps(answer["error" if failed else "result"]), failed, log

    def _take(self, function: Any) -> Environment:
        with self._lock:
            idle = self._idle[_kind(function)]
            if idle:
                return idle.pop()
            environment = self._started(function)
            self._all.append(environment)
            return environment

    def _started(self, function: Any) -> Environment:
        disk = Path(tempfile.mkdtemp(prefix="env-", dir=self._folder))
        uri = function.code.get("ImageUri")
        if uri is None:
            code = self._unpacked(function)
            return ZipEnvironment(function.handler, code, disk, self._variables(function))
        disk.chmod(0o755)  # another user may work below it
        image = pulled(self._client, uri)
        if uri not in self._code:
            self._code[uri] = Path(tempfile.mkdtemp(prefix="image-", dir=self._folder))
            image.build(self._code[uri])
        return ImageEnvironment(image, self._code[uri], disk, self._variables(function))

    def _unpacked(self, function: Any) -> Path:
        digest = function.code_sha_256
        if digest not in self._code:
            self._code[digest] = Path(tempfile.mkdtemp(prefix="code-", dir=self._folder))
            with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as file:
                file.extractall(self._code[digest])
        return self._code[digest]

    def _variables(self, function: Any) -> dict[str, str]:
        deployed = {name: str(value) for name, value in function.environment_vars.items()}
        return {
            "PATH": "/nonexistent",
            "LANG": "en_US.UTF-8",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            **self._account,
            **deployed,
        }

    def close(self) -> None:
        for environment in self._all:
            environment.close()


def _kind(function: Any) -> tuple[str, ...]:
    variables = json.dumps(function.environment_vars, sort_keys=True)
    return (function.function_arn, function.code_sha_256, variables)


class ZipEnvironment:
    """A process with the code of one version of a function."""

    def __init__(self, handler: str, code: Path, disk: Path, variables: dict[str, str]) -> None:
        self._disk = disk
        self._log: IO[bytes] = (disk / "log").open("w+b")
        own = {"LAMBDA_TASK_ROOT": str(code), "PYTHONPATH": str(code), "TMPDIR": str(disk)}
        self._process = subprocess.Popen(
            [INTERPRETER, "-S", "-P", "-s", str(RUNTIME), handler],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=os.dup(self._log.fileno()),
            env={**variables, **own, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=code,
            text=True,
        )

    def answer(self, told: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
        """No answer from one that has ended or is past its time, and is ended then."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        begin = self._log.seek(0, os.SEEK_END)
        into.write(json.dumps(told) + "\n")
        into.flush()
        ready, _, _ = select.select([out], [], [], told["timeout_s"])
        line = out.readline() if ready else ""
        if not line:
            self._process.kill()
        self._log.seek(begin)
        log = self._log.read().decode("utf-8", "replace")
        return (json.loads(line) if line else None), log

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()
        shutil.rmtree(self._disk, ignore_errors=True)


Environment = ImageEnvironment | ZipEnvironment
