"""News of runs on the event bus, and which of them were told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fanfold.adapters.aws.failures import translated
from fanfold.adapters.aws.table import ConditionFailed, Item, Table, number, text
from fanfold.errors import CloudUnavailable

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "fanfold"


class BusNewsDesk:
    """`ports.NewsDesk` of one project: told to the bus, noted in the table of projections."""

    def __init__(self, client: EventBridgeClient, bus: str, table: Table, project: str) -> None:
        self._client, self._bus = client, bus
        self._table, self._view = table, f"news/{project}"
        self._project = project

    def told(self, run_id: str) -> int:
        item = self._table.get(self._key(run_id), "#version")
        return int(item["version"]["N"]) if item else 0

    def tell(self, kind: str, detail: dict[str, Any]) -> None:
        """Raises `CloudError`; then it may have been told all the same."""
        entry: Any = {
            "Source": SOURCE,
            "DetailType": kind,
            "Detail": json.dumps({"project": self._project, **detail}),
            "EventBusName": self._bus,
        }
        with translated(f"tell {self._bus!r} of {kind}"):
            answer = self._client.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            (refused,) = answer["Entries"]
            code = refused.get("ErrorCode", "")
            raise CloudUnavailable(f"cannot tell {self._bus!r} of {kind}: {code}", code)

    def note(self, run_id: str, version: int) -> None:
        item = {**self._key(run_id), "version": number(version)}
        try:
            self._table.put(
                item,
                "attribute_not_exists(#view) OR #version < :version",
                version=number(version),
            )
        except ConditionFailed:
            return

    def _key(self, run_id: str) -> Item:
        return {"view": text(self._view), "item": text(run_id)}
