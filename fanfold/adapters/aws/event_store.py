"""Event streams in a DynamoDB table."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fanfold.adapters.aws.table import ConditionFailed, Table, number, text
from fanfold.adapters.envelopes import check_stream, run_folder, seal, store_payload, unseal
from fanfold.errors import CloudError, FanfoldError, StreamConflict
from fanfold.run.events import Envelope, EventData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.adapters.aws.table import Item
    from fanfold.adapters.envelopes import Sealed
    from fanfold.ports import ArtifactStore, Clock

INDEX = "streams"
ITEM_LIMIT = 256 * 1024
"""Bytes of an append's encoded events above which they are stored as an artifact."""

_DIGITS = 12
_BEGINNING = datetime.min.replace(tzinfo=UTC)


class _Head(NamedTuple):
    """Where a stream ended when it was last looked at."""

    version: int
    timestamp: datetime


class _Elsewhere(msgspec.Struct, frozen=True):
    """What an item holds in place of events that were too many for it."""

    key: str = msgspec.field(name="$artifact")
    sha256: str


_NEW = _Head(0, _BEGINNING)
_encode = msgspec.json.Encoder().encode
_decode_item = msgspec.json.Decoder(list[Envelope] | _Elsewhere).decode
_decode_events = msgspec.json.Decoder(list[Envelope]).decode


class DynamoEventStore:
    """ports.EventStore: an append of any size is one item, there whole or not at all.

    An item's partition key is its stream, its sort key the version of its first event. An append
    begins right after a version that was once seen to be the last, and streams only grow: so items
    neither overlap nor leave a gap, and of two that begin at one version the condition lets in one.
    `streams` reads an index, which may lag behind by a second; everything else is consistent.
    """

    def __init__(self, table: Table, project: str, clock: Clock, artifacts: ArtifactStore) -> None:
        self._table, self._project, self._clock, self._artifacts = table, project, clock, artifacts
        self._heads: dict[str, _Head] = {}
        self._lock = Lock()

    def append(
        self, stream: str, expected: int, events: Sequence[EventData], *, actor: str = "fanfold"
    ) -> list[Envelope]:
        """Append all `events` after version `expected`.

        Raises:
            StreamConflict: the stream is elsewhere; nothing was appended.
            CloudUnavailable: DynamoDB did not confirm it. The events were not there when it was
                asked again; should the request arrive even later, it arrives whole, and the next
                append at `expected` conflicts.
        """
        check_stream(stream)
        head = self._heads.get(stream, _NEW)
        if head.version != expected or head is _NEW or not events:
            head = self._read_head(stream)
        if head.version != expected:
            raise StreamConflict(stream, expected, head.version)
        sealed = list(
            seal(
                stream,
                expected,
                events,
                project=self._project,
                actor=actor,
                now=max(self._clock.now(), head.timestamp),
                artifacts=self._artifacts,
                folder_of=run_folder,
            )
        )
        if sealed:
            self._put(stream, expected, sealed)
            self._saw(stream, sealed[-1].envelope)
        return [s.envelope for s in sealed]

    def read(self, stream: str, after: int = 0) -> list[Envelope]:
        """Raises `FanfoldError` when an event is missing or cannot be read."""
        after = max(after, 0)
        stored = self._stored(stream, "#version > :at", after)
        if after and not self._begins_at(stream, stored, after):
            stored = self._stored(stream, "#version <= :at", after, last=True) + stored
        envelopes = [envelope for envelope in stored if envelope.version > after]
        for version, envelope in enumerate(envelopes, after + 1):
            if envelope.version != version:
                raise FanfoldError(f"{stream!r} in {self._table.name!r} lacks version {version}")
        if envelopes:
            self._saw(stream, envelopes[-1])
        return [unseal(envelope, self._artifacts) for envelope in envelopes]

    def streams(self, prefix: str = "") -> list[str]:
        """The project's streams that start with `prefix`, in order of first append."""
        condition = "#project = :project"
        values: Item = {"project": text(self._project)}
        if prefix:
            condition += " AND begins_with(#stream, :prefix)"
            values["prefix"] = text(prefix)
        found = self._table.query(condition, fields="#stream, #began", index=INDEX, **values)
        return [i["stream"]["S"] for i in sorted(found, key=lambda i: i["began"]["S"])]

    def _put(self, stream: str, expected: int, sealed: Sequence[Sealed]) -> None:
        item = self._item(stream, expected, sealed)
        try:
            self._table.put(item, "attribute_not_exists(#stream)")
        except (ConditionFailed, CloudError) as error:
            if not self._is_there(item, error):
                actual = self._read_head(stream).version
                raise StreamConflict(stream, expected, actual) from None

    def _is_there(self, item: Item, error: ConditionFailed | CloudError) -> bool:
        """Whether a put that failed took place after all, its answer lost, its retry refused.

        Raises `error` when nothing is in its place and nothing forbade it.
        """
        key = {"stream": item["stream"], "version": item["version"]}
        try:
            found = self._table.get(key, "#events")
        except CloudError as unreadable:
            raise (error if isinstance(error, CloudError) else unreadable) from None
        if found is None and isinstance(error, CloudError):
            raise error
        return found is not None and found.get("events") == item["events"]

    def _item(self, stream: str, expected: int, sealed: Sequence[Sealed]) -> Item:
        encoded = _encode([s.stored for s in sealed])
        if len(encoded) > ITEM_LIMIT:
            encoded = _encode(store_payload(run_folder(stream), encoded, self._artifacts))
        first, last = sealed[0].stored, sealed[-1].stored
        item = {
            "stream": text(stream),
            "version": text(_key(first.version)),
            "events": text(encoded.decode()),
            "last_version": number(last.version),
            "last_timestamp": text(_iso(last.timestamp)),
        }
        if not expected:
            began = f"{_iso(first.timestamp)} {first.event_id}"
            item |= {"project": text(self._project), "began": text(began)}
        return item

    def _events(self, stream: str, item: Item) -> list[Envelope]:
        try:
            found = _decode_item(item["events"]["S"])
            if isinstance(found, _Elsewhere):
                found = _decode_events(self._artifacts.get(found.key, found.sha256))
        except (KeyError, msgspec.DecodeError) as error:
            raise FanfoldError(
                f"{stream!r} in table {self._table.name!r} holds an item that is no events: {error}"
            ) from error
        return found

    def _begins_at(self, stream: str, stored: Sequence[Envelope], after: int) -> bool:
        """Whether no item before those of `stored` holds an event above `after`."""
        if stored:
            return stored[0].version == after + 1
        return self._heads.get(stream, _NEW).version == after

    def _stored(
        self, stream: str, condition: str, version: int, *, last: bool = False
    ) -> list[Envelope]:
        items = self._table.query(
            f"#stream = :stream AND {condition}",
            fields="#events",
            last=last,
            stream=text(stream),
            at=text(_key(version)),
        )
        return [envelope for item in items for envelope in self._events(stream, item)]

    def _read_head(self, stream: str) -> _Head:
        fields = "#last_version, #last_timestamp"
        found = self._table.query(
            "#stream = :stream", fields=fields, last=True, stream=text(stream)
        )
        for item in found:
            version, timestamp = item["last_version"]["N"], item["last_timestamp"]["S"]
            return _Head(int(version), datetime.fromisoformat(timestamp))
        return _NEW

    def _saw(self, stream: str, last: Envelope) -> None:
        with self._lock:
            if last.version > self._heads.get(stream, _NEW).version:
                self._heads[stream] = _Head(last.version, last.timestamp)


def _key(version: int) -> str:
    return f"{version:0{_DIGITS}}"


def _iso(timestamp: datetime) -> str:
    return timestamp.astimezone(UTC).isoformat(timespec="microseconds")
