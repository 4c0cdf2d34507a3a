"""A Python runtime of functions: one handler, an event a line from standard input.

Started as a script by the path of this file, beside a function's own code and nothing else. What
the handler prints goes to standard error, as its log; answers go to standard output.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any


class Context:
    """What the runtime hands to a handler beside its event."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.function_name: str = told["function_name"]
        self.function_version: str = told["function_version"]
        self.invoked_function_arn: str = told["invoked_function_arn"]
        self.memory_limit_in_mb: int = told["memory_limit_in_mb"]
        self.aws_request_id: str = told["aws_request_id"]
        self._ends = time.monotonic() + told["timeout_s"]

    def get_remaining_time_in_millis(self) -> int:
        return max(round(1000 * (self._ends - time.monotonic())), 0)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    handler: Any = None
    for line in sys.stdin:
        told = json.loads(line)
        try:
            handler = handler or _handler(sys.argv[1])
            answer = {"result": json.loads(json.dumps(handler(told["event"], Context(told))))}
        except BaseException as error:  # as the service does
            answer = {
                "error": {
                    "errorMessage": str(error),
                    "errorType": type(error).__name__,
                    "requestId": told["aws_request_id"],
                    "stackTrace": traceback.format_tb(error.__traceback__),
                }
            }
        sys.stdout.flush()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _handler(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


if __name__ == "__main__":
    main()
