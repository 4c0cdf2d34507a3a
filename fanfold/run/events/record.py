"""What an event is: its type's name, its place in a stream, its line in a log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from fanfold.run.decoders import learn


class EventData(msgspec.Struct, frozen=True, gc=False):
    """Base of all event payloads; the event's type is the class name in snake_case."""

    @classmethod
    def event_type(cls) -> str:
        return _TYPES[cls]


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


_TYPES: dict[type[EventData], str] = {}
BY_TYPE: dict[str, type[EventData]] = {}


def register(*kinds: type[EventData]) -> None:
    """Have these types of events read from logs; those of this module are."""
    for kind in kinds:
        _TYPES[kind] = _snake(kind.__name__)
        BY_TYPE[_TYPES[kind]] = kind
    learn(*kinds)


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a log, in the workspace's own vocabulary.

    `version` is gapless per stream, from 1.
    """

    event_id: str
    event_type: str
    timestamp: datetime
    project: str
    stream: str
    version: int
    schema: int = 1
    actor: str = "fanfold"
    data: dict[str, Any]


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A typed event with its place in the stream and its time; what the folds work on."""

    version: int
    timestamp: datetime
    data: EventData


def run_stream(run_id: str) -> str:
    return f"run/{run_id}"


def attempt_stream(run_id: str, attempt: str) -> str:
    return f"run/{run_id}/attempt/{attempt}"


def payload(data: EventData) -> dict[str, Any]:
    """The event's data as plain JSON values."""
    return msgspec.to_builtins(data)


def recorded(envelope: Envelope) -> Recorded | None:
    """The typed event.

    None for a type that this version does not know (a foreign event in a shared log).

    Raises `msgspec.ValidationError` where the data does not fit its type.
    """
    kind = BY_TYPE.get(envelope.event_type)
    if kind is None:
        return None
    return Recorded(envelope.version, envelope.timestamp, msgspec.convert(envelope.data, kind))


learn(Envelope)
