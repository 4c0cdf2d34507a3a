"""News of runs on the event bus, and which of them were told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.adapters.aws.table import ConditionFailed, Item, Table, number, text

if TYPE_CHECKING:
    from fanfold.adapters.aws.event_bus import EventBus


class BusNewsDesk:
    """`ports.NewsDesk` of one project: told to the bus, noted in the table of projections."""

    def __init__(self, bus: EventBus, table: Table, project: str) -> None:
        self._bus, self._table = bus, table
        self._view, self._project = f"news/{project}", project

    def told(self, run_id: str) -> int:
        item = self._table.get(self._key(run_id), "#version")
        return int(item["version"]["N"]) if item else 0

    def tell(self, kind: str, detail: dict[str, Any]) -> None:
        """Raises `CloudError`; then it may have been told all the same."""
        self._bus.put(kind, {"project": self._project, **detail})

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
