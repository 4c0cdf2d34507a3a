"""Views folded from the streams: the runs of a project, and everything that happened, in one order.

Word of an append, which may come twice, late or never, only says which stream to look at. All that
is written follows from the stream itself, so that the views can be dropped and made again.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from fanfold.adapters.aws.table import ConditionFailed, Item, Put, Table, number, text
from fanfold.errors import FanfoldError
from fanfold.run.events import recorded, run_stream
from fanfold.run.evolve import fold
from fanfold.run.listing import RunRow, row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.ports import EventStore
    from fanfold.run.events import Envelope

TRIES = 20

_DIGITS = 12
_RUN = run_stream("")
_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Page(NamedTuple):
    """Envelopes in the order they were taken in, and the cursor that the next page begins after."""

    envelopes: list[Envelope]
    cursor: str


class _Feed(NamedTuple):
    """The end of a feed; a feed that was made anew has another `made`."""

    made: str
    length: int


_encode = msgspec.json.Encoder().encode
_decode_row = msgspec.json.Decoder(RunRow).decode


class Projections:
    """The views of one project, in one table."""

    def __init__(self, table: Table, project: str, events: EventStore) -> None:
        self._table, self._project, self._events = table, project, events
        self._runs, self._feed = f"runs/{project}", f"feed/{project}"
        self._taken = f"taken/{project}"

    def project(self, stream: str) -> list[Envelope]:
        """Bring the views up to date with `stream`; safe to repeat, and to do twice at once.

        Gives what was new to them: every envelope once, to whoever was the first with it.
        """
        news = self._take_in(stream)
        run = stream.removeprefix(_RUN)
        if run != stream and "/" not in run:
            self._put_row(run, self._events.read(stream))
        return news

    def rebuild(self) -> None:
        """Make the views anew from all streams of the project."""
        for stream in self._events.streams():
            self.project(stream)

    def runs(self) -> list[RunRow]:
        """All runs of the project, the oldest first."""
        found = self._table.query("#view = :view", fields="#row", view=text(self._runs))
        rows = [_decode_row(item["row"]["S"]) for item in found]
        return sorted(
            rows, key=lambda row: (row.requested_at is not None, row.requested_at, row.run)
        )

    def page(self, cursor: str = "", limit: int = 100) -> Page:
        """What was appended after `cursor`, in the order in which it was taken in.

        At most `limit` appends. After `rebuild` of a dropped table an old cursor begins anew:
        readers tell events that they know by `event_id`.
        """
        feed = self._read_feed()
        made, _, at = cursor.partition(":")
        begin = int(at) if feed is not None and made == feed.made else 0
        found = self._table.query(
            "#view = :view AND #item BETWEEN :low AND :high",
            fields="#item, #stream, #after, #through",
            view=text(self._feed),
            low=text(_key(begin + 1)),
            high=text(_key(begin + limit)),
        )
        envelopes: list[Envelope] = []
        for entry in found:
            # A query that overtakes a write can see an entry before the one that precedes it.
            if entry["item"]["S"] != _key(begin + 1):
                break
            begin += 1
            envelopes += self._envelopes(entry)
        return Page(envelopes, f"{feed.made}:{begin}" if feed else "")

    def _envelopes(self, entry: Item) -> list[Envelope]:
        after, through = int(entry["after"]["N"]), int(entry["through"]["N"])
        return self._events.read(entry["stream"]["S"], after)[: through - after]

    def _take_in(self, stream: str) -> list[Envelope]:
        """Give what is new in `stream` the next number of the project, once."""
        for _ in range(TRIES):
            after = self._read_taken(stream)
            news = self._events.read(stream, after)
            if not news or self._number(stream, after, news[-1].version):
                return news
        raise FanfoldError(f"too many writers at once in the feed of project {self._project!r}")

    def _number(self, stream: str, after: int, through: int) -> bool:
        """Write one entry of the feed, unless somebody else did or was quicker with another."""
        feed = self._read_feed() or _Feed(uuid.uuid4().hex, 0)
        head = {
            **self._feed_key(0),
            "made": text(feed.made),
            "length": number(feed.length + 1),
        }
        entry = {
            **self._feed_key(feed.length + 1),
            "stream": text(stream),
            "after": number(after),
            "through": number(through),
        }
        taken = {**self._taken_key(stream), "through": number(through)}
        puts = [
            _unchanged(head, "length", feed.length),
            Put(entry, "attribute_not_exists(#view)"),
            _unchanged(taken, "through", after),
        ]
        try:
            self._table.put_together(puts)
        except ConditionFailed:
            return False
        return True

    def _read_feed(self) -> _Feed | None:
        item = self._table.get(self._feed_key(0), "#made, #length")
        return _Feed(item["made"]["S"], int(item["length"]["N"])) if item else None

    def _read_taken(self, stream: str) -> int:
        item = self._table.get(self._taken_key(stream), "#through")
        return int(item["through"]["N"]) if item else 0

    def _put_row(self, run: str, envelopes: Sequence[Envelope]) -> None:
        if not envelopes:
            return
        row = _row(run, envelopes)
        item = {
            "view": text(self._runs),
            "item": text(run),
            "version": number(row.version),
            "row": text(_encode(row).decode()),
        }
        try:
            self._table.put(
                item,
                "attribute_not_exists(#view) OR #version < :version",
                version=number(row.version),
            )
        except ConditionFailed:
            return

    def _feed_key(self, at: int) -> Item:
        return {"view": text(self._feed), "item": text(_key(at))}

    def _taken_key(self, stream: str) -> Item:
        return {"view": text(self._taken), "item": text(stream)}


def _row(run: str, envelopes: Sequence[Envelope]) -> RunRow:
    state = fold([event for e in envelopes if (event := recorded(e)) is not None])
    return replace(row_of(run, state), version=envelopes[-1].version)


def _unchanged(item: Item, field: str, value: int) -> Put:
    """Replace an item if its `field` still is `value`; 0 is what one has that is not there."""
    condition = f"#{field} = :before"
    if not value:
        return Put(item, "attribute_not_exists(#view)")
    return Put(item, condition, {"before": number(value)})


def _key(at: int) -> str:
    return f"{at:0{_DIGITS}}"
