"""Functions from images: the image's own command, with the API by which a runtime gets its events.

The paths and headers are those of the Lambda developer guide, "Using the Lambda runtime API"; the
runtime's client crashes where `Content-Type` is missing.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, TYPE_CHECKING, Any

from fanfold.settings import environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kit.loopback.images import Image

VERSION = "/2018-06-01/runtime"


class ImageEnvironment:
    """A process of one version of a function that is an image; its disk is its own.

    It runs where the image was built, with that program's packages and this machine's tools.
    """

    def __init__(self, image: Image, built: Path, disk: Path, variables: dict[str, str]) -> None:
        self._disk, self._log_file = disk, disk / "log"
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        tools = environment()["PATH"]
        log: IO[bytes]
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [f"{built}/.venv/bin/{image.command[0]}", *image.command[1:]],
                env={
                    **variables,
                    "PATH": f"{built}/.venv/bin:{tools}",
                    "HOME": str(disk),
                    "TMPDIR": str(disk),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "LAMBDA_TASK_ROOT": str(built),
                    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                },
                cwd=built,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def answer(self, told: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
        """No answer from one that has ended or is past its time, and is ended then."""
        begin = self._log_file.stat().st_size
        until = time.monotonic() + told["timeout_s"]
        self._events.put({**told, "until": until})
        answer = None
        while answer is None and time.monotonic() < until and self._process.poll() is None:
            try:
                answer = self._answers.get(timeout=0.1)
            except queue.Empty:
                continue
        if answer is None:
            self._process.kill()
        return answer, self._log_file.read_bytes()[begin:].decode("utf-8", "replace")

    def next_event(self) -> dict[str, Any] | None:
        """Waits for one; None once it is closed."""
        return self._events.get()

    def take(self, answer: dict[str, Any]) -> None:
        self._answers.put(answer)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self._disk, ignore_errors=True)


def _handler(place: ImageEnvironment) -> type[BaseHTTPRequestHandler]:
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told = place.next_event() if self.path == f"{VERSION}/invocation/next" else None
            if told is None:
                self.close_connection = True
                return
            left_ms = max(told["until"] - time.monotonic(), 0) * 1000
            headers = {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": told["aws_request_id"],
                "Lambda-Runtime-Deadline-Ms": str(round(time.time() * 1000 + left_ms)),
                "Lambda-Runtime-Invoked-Function-Arn": told["invoked_function_arn"],
            }
            self._say(200, json.dumps(told["event"]).encode(), headers)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._say(202)
            place.take({"result" if self.path.endswith("/response") else "error": body})

        def _say(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Api
