"""Lambda in memory whose functions are plain callables.

Repaired in moto 5.2.5: a function ran in a container, and so not at all where there is no Docker.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.awslambda.models import LambdaBackend

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.kit.step_functions import Functions


@contextmanager
def answering(functions: Functions) -> Generator[None]:
    """Whoever invokes a function, by name or by ARN, reaches one of these."""

    def invoke(_: Any, name: str, __: Any, body: Any, ___: Any, headers: dict[str, str]) -> Any:
        plain = name.partition(":function:")[2].partition(":")[0] or name
        answer = functions.invoke(FunctionName=plain, Payload=body)
        payload: bytes = answer["Payload"].read()
        headers["Content-Length"] = str(len(payload))
        if "FunctionError" in answer:
            headers["x-amz-function-error"] = answer["FunctionError"]
        return payload

    with patch.object(LambdaBackend, "invoke", invoke):
        yield
