"""A deployment's event bus, as whoever tells it something."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fanfold.adapters.aws.failures import translated
from fanfold.errors import CloudUnavailable

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "fanfold"


class EventBus:
    """Puts one event at a time; whoever hears it may hear it twice."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._client, self.name = client, name

    def put(self, kind: str, detail: dict[str, Any]) -> None:
        """Raises `CloudError`; then it may have been told all the same."""
        entry: Any = {
            "Source": SOURCE,
            "DetailType": kind,
            "Detail": json.dumps(detail),
            "EventBusName": self.name,
        }
        with translated(f"tell {self.name!r} of {kind}"):
            answer = self._client.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            (refused,) = answer["Entries"]
            code = refused.get("ErrorCode", "")
            raise CloudUnavailable(f"cannot tell {self.name!r} of {kind}: {code}", code)
