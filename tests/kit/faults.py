"""A network that loses requests and answers, and services that refuse, between boto3 and moto."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    Service = Callable[[], AWSResponse | None]
    Fault = Callable[[Any, Service], AWSResponse | None]
    Answer = Callable[[str, Any, Service], AWSResponse | None]

THROTTLED = "ProvisionedThroughputExceededException"


class Faults:
    """What happens to the next requests, by operation; after that all goes well.

    `sent` are the operations of all requests, every try of them.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []
        self._planned: dict[str, deque[Fault]] = defaultdict(deque)
        self._late: list[Service] = []

    def lose_answer(self, operation: str, times: int = 1) -> None:
        """The service carries the request out, and nobody hears of it."""

        def fault(request: Any, service: Service) -> None:
            service()
            raise ReadTimeoutError(endpoint_url=request.url, error="lost")

        self._planned[operation].extend([fault] * times)

    def lose_request(self, operation: str, times: int = 1) -> None:
        """The request does not arrive, or only when `arrive_late` says so."""

        def fault(request: Any, service: Service) -> None:
            self._late.append(service)
            raise EndpointConnectionError(endpoint_url=request.url)

        self._planned[operation].extend([fault] * times)

    def refuse(self, operation: str, code: str, times: int = 1, status: int = 400) -> None:
        def fault(request: Any, _: Service) -> AWSResponse:
            return refusal(request, code, status)

        self._planned[operation].extend([fault] * times)

    def cancel(self, *reasons: str, times: int = 1) -> None:
        """A transaction is cancelled, for one reason an item."""

        def fault(request: Any, _: Service) -> AWSResponse:
            return refusal(request, "TransactionCanceledException", 400, reasons)

        self._planned["TransactWriteItems"].extend([fault] * times)

    def cut_short(self, operation: str, times: int = 1) -> None:
        """The answer breaks off in the middle of its body."""

        def fault(request: Any, service: Service) -> AWSResponse | None:
            answer: Any = service()
            body = answer.raw.read()
            raw: Any = MockRawResponse(body[: len(body) // 2])
            return AWSResponse(request.url, answer.status_code, answer.headers, raw)

        self._planned[operation].extend([fault] * times)

    def before(self, operation: str, action: Callable[[], object]) -> None:
        """Do something else right before the request arrives."""

        def fault(_: Any, service: Service) -> AWSResponse | None:
            action()
            return service()

        self._planned[operation].append(fault)

    def arrive_late(self) -> None:
        """Let the requests arrive that were lost."""
        while self._late:
            self._late.pop(0)()

    def forget(self) -> None:
        """Drop the faults that are still to come."""
        self._planned.clear()

    def answer(self, operation: str, request: Any, service: Service) -> AWSResponse | None:
        self.sent.append(operation)
        planned = self._planned[operation]
        return planned.popleft()(request, service) if planned else service()


@contextmanager
def faults(answer: Answer | None = None) -> Generator[Faults]:
    """Faults of every client, whose tries follow each other without pauses and without a quota.

    `answer` takes all requests in place of the `Faults` that are given.
    """
    injected = Faults()
    hears = answer or injected.answer
    original: Any = BotocoreStubber.__call__

    def call(stubber: Any, event_name: str, request: Any, **_: Any) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        return hears(operation, request, lambda: original(stubber, event_name, request))

    def sleep(_: float) -> None:
        return

    def unlimited(*_: object) -> bool:
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "__call__", call)
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=sleep))
        patch.setattr("botocore.retries.quota.RetryQuota.acquire", unlimited)
        yield injected


def refusal(request: Any, code: str, status: int, reasons: Sequence[str] = ()) -> AWSResponse:
    """What a service answers that does not do what it was asked."""
    cancelled = [{"Code": reason} for reason in reasons]
    told = {"__type": code, "message": "refused by the test", "CancellationReasons": cancelled}
    body = json.dumps(told)
    if ".s3." in request.url or request.url.startswith("https://s3."):
        body = f"<Error><Code>{code}</Code><Message>refused by the test</Message></Error>"
    headers: Any = {"x-amzn-errortype": code}
    return AWSResponse(request.url, status, headers, MockRawResponse(body))
