"""Events as envelopes, and back: ids, large payloads, old schemas. Shared by every event store."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fanfold.errors import FanfoldError
from fanfold.run.events import BY_TYPE, Envelope, EventData

if TYPE_CHECKING:
    from fanfold.ports import ArtifactStore

PAYLOAD_LIMIT = 64 * 1024
"""Bytes of encoded `data` above which it is stored as an artifact."""

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
UPCASTS: dict[tuple[str, int], Upcast] = {}
"""`(event_type, schema)` → a function from the data of that schema to the data of the next."""

_ATTEMPT = re.compile(r"run/([^/]+)/attempt/([^/]+)")
_WHOLE = re.compile(r"(run|batch)/([^/]+)")
_encode = msgspec.json.Encoder().encode
_decode_data = msgspec.json.Decoder(dict[str, Any]).decode


class Sealed(NamedTuple):
    """An envelope as readers see it, and as it is stored: with a reference where data is large."""

    envelope: Envelope
    stored: Envelope


def attempt_folder(stream: str) -> str | None:
    """The artifact folder of an attempt's stream; None for every other stream."""
    match = _ATTEMPT.fullmatch(stream)
    return f"runs/{match[1]}/attempts/{match[2]}" if match else None


def run_folder(stream: str) -> str | None:
    """The artifact folder of a batch's, a run's or an attempt's stream; None for every other."""
    match = _WHOLE.fullmatch(stream)
    if match is None:
        return attempt_folder(stream)
    return f"runs/{match[2]}" if match[1] == "run" else f"batches/{match[2]}"


def check_stream(stream: str) -> None:
    """Raises `FanfoldError` for a name that cannot be a stream's."""
    if not stream or not stream.isprintable():
        raise FanfoldError(f"{stream!r} is no name for a stream")


def belongs_to_log(key: str) -> bool:
    """Whether an artifact is a payload that some log refers to, which cleaning up must spare."""
    return "events" in key.split("/")[:-1]


def seal(
    stream: str,
    after: int,
    events: Sequence[EventData],
    *,
    project: str,
    actor: str,
    now: datetime,
    artifacts: ArtifactStore,
    folder_of: Callable[[str], str | None] = attempt_folder,
) -> Iterator[Sealed]:
    """Envelopes for `events`, with the versions that follow `after`.

    Large payloads go to `artifacts` as the iteration reaches them, into the stream's folder, or
    beside the log where it has none.
    """
    from uuid6 import uuid7

    for version, event in enumerate(events, after + 1):
        encoded = _encoded(event)
        envelope = Envelope(
            event_id=str(uuid7()),
            event_type=event.event_type(),
            timestamp=now.astimezone(UTC),
            project=project,
            stream=stream,
            version=version,
            schema=_current_schema(event.event_type()),
            actor=actor,
            data=_decode_data(encoded),
        )
        if len(encoded) <= PAYLOAD_LIMIT:
            yield Sealed(envelope, envelope)
        else:
            reference = store_payload(folder_of(stream), encoded, artifacts)
            yield Sealed(envelope, msgspec.structs.replace(envelope, data=reference))


def unseal(stored: Envelope, artifacts: ArtifactStore) -> Envelope:
    """The envelope with its payload in place and in the current schema.

    Raises:
        ArtifactMissing, ArtifactCorrupt: a large payload is gone or damaged.
        FanfoldError: the schema is newer than this version of fanfold.
    """
    current = _current_schema(stored.event_type) if UPCASTS else 1
    if stored.schema > current and stored.event_type in BY_TYPE:
        raise FanfoldError(
            f"{stored.stream!r} version {stored.version}: {stored.event_type} has schema "
            f"{stored.schema}, this fanfold knows {current}; install a newer fanfold"
        )
    key = stored.data.get("$artifact")
    if key is None and stored.schema >= current:
        return stored
    data = stored.data
    if key is not None:
        data = _decode_data(artifacts.get(key, data["sha256"]))
    for schema in range(stored.schema, current):
        data = UPCASTS[stored.event_type, schema](data)
    return msgspec.structs.replace(stored, data=data, schema=max(stored.schema, current))


def store_payload(folder: str | None, encoded: bytes, artifacts: ArtifactStore) -> dict[str, str]:
    """Put what is too large for a log into `folder`; gives the reference to store."""
    name = f"events/{hashlib.sha256(encoded).hexdigest()}.json"
    key = f"{folder}/{name}" if folder else name
    return {"$artifact": key, "sha256": artifacts.put(key, encoded)}


def _current_schema(event_type: str) -> int:
    schema = 1
    while (event_type, schema) in UPCASTS:
        schema += 1
    return schema


def _encoded(event: EventData) -> bytes:
    try:
        return _encode(event)
    except UnicodeEncodeError:
        # Lone surrogates (file names, model output) are not text that JSON in UTF-8 can carry.
        text = json.dumps(msgspec.to_builtins(event), ensure_ascii=False)
        return text.encode("utf-8", "replace")
