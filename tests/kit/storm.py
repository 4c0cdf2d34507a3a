"""One request that fails for good, or a call that does, at any place of a run: nothing else."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from fanfold.adapters.aws.clients import ATTEMPTS
from tests.kit import faults

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from botocore.awsrequest import AWSResponse

    from tests.kit.faults import Service
    from tests.kit.step_functions import Container, Function

KINDS = ("down", "throttled", "lost answer")


class Crashed(Exception):
    """A function's process is gone."""


class Storm:
    """Of the requests that functions and containers send, the one with number `at` fails.

    All tries of it do. Before a `lost answer` the service did what it was asked. `sent` counts
    requests, a request and its tries as one; what the test itself asks is none of them.
    """

    def __init__(self, at: int = 0, kind: str = "") -> None:
        self.sent, self.struck = 0, ""
        self._at, self._kind = at, kind
        self._lock, self._own = threading.Lock(), threading.local()

    @contextmanager
    def blowing(self) -> Generator[None]:
        """On the requests of this thread."""
        before = vars(self._own).get("inside", False)
        self._own.inside = True
        try:
            yield
        finally:
            self._own.inside = before

    def around(self, _: str, function: Function) -> Function:
        """`function` in the storm."""

        def call(event: Any, context: Any) -> Any:
            with self.blowing():
                return function(event, context)

        return call

    def around_container(self, container: Container) -> Container:
        def run(environment: dict[str, str]) -> None:
            with self.blowing():
                container(environment)

        return run

    def answer(self, operation: str, request: Any, service: Service) -> AWSResponse | None:
        own = vars(self._own)
        if not own.get("inside"):
            return service()
        if not own.get("left"):
            with self._lock:
                self.sent += 1
                if self.sent != self._at:
                    return service()
            self.struck, own["left"] = operation, ATTEMPTS
            if self._kind == "lost answer":
                service()
                own["left"] -= 1
                raise ReadTimeoutError(endpoint_url=request.url, error="lost")
        own["left"] -= 1
        if self._kind == "throttled":
            return faults.refusal(request, "ThrottlingException", 400)
        raise EndpointConnectionError(endpoint_url=request.url)


@contextmanager
def storm(at: int = 0, kind: str = "") -> Generator[Storm]:
    """The storm over all clients of this process."""
    brewing = Storm(at, kind)
    with faults.faults(brewing.answer):
        yield brewing


def crashing(name: str, at: int, *, after: bool) -> Callable[[str, Function], Function]:
    """Ends the `at`th call of the function `name` before it has done anything, or when all is."""
    calls = 0

    def wrap(function_name: str, function: Function) -> Function:
        def call(event: Any, context: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls != at:
                return function(event, context)
            if after:
                function(event, context)
            raise Crashed(name)

        return call if function_name == name else function

    return wrap
