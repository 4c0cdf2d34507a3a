"""Stores, lease and clock in memory: the ports' semantics, no disk."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

from fanfold.adapters.envelopes import belongs_to_log, check_stream, seal, unseal
from fanfold.adapters.keys import check_key, is_below
from fanfold.errors import (
    ArtifactCorrupt,
    ArtifactMissing,
    FanfoldError,
    LeaseHeld,
    LeaseLost,
    StreamConflict,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.ports import ArtifactStore, Clock
    from fanfold.run.events import Envelope, EventData


class ManualClock:
    """A clock that moves only when told to, or when somebody sleeps."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = self._now = start
        self._lock = RLock()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)


class HurriedClock(ManualClock):
    """A hundred times as fast as others; for who waits for another thread, which really runs."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._begun) * 100

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds) / 100)


class MemoryArtifactStore:
    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._lock = RLock()

    def put(self, key: str, data: bytes) -> str:
        check_key(key)
        with self._lock:
            self._blobs[key] = bytes(data)
        return hashlib.sha256(data).hexdigest()

    def get(self, key: str, sha256: str | None = None) -> bytes:
        check_key(key)
        data = self._blobs.get(key)
        if data is None:
            raise ArtifactMissing(f"no artifact {key!r} in memory")
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise ArtifactCorrupt(f"artifact {key!r} has not SHA-256 {sha256}")
        return data

    def exists(self, key: str) -> bool:
        check_key(key)
        return key in self._blobs

    def list(self, prefix: str) -> list[str]:
        if prefix:
            check_key(prefix.removesuffix("/"))
        with self._lock:
            return sorted(k for k in self._blobs if is_below(k, prefix))

    def delete(self, prefix: str) -> int:
        if not prefix:
            raise FanfoldError("refusing to delete every artifact")
        with self._lock:
            keys = [k for k in self.list(prefix) if not belongs_to_log(k)]
            for key in keys:
                del self._blobs[key]
        return len(keys)


class MemoryEventStore:
    def __init__(
        self,
        clock: Clock | None = None,
        project: str = "test",
        artifacts: ArtifactStore | None = None,
    ) -> None:
        self._clock, self._project = clock or ManualClock(), project
        self._artifacts = artifacts or MemoryArtifactStore()
        self._streams: dict[str, list[Envelope]] = {}
        self._lock = RLock()

    def append(
        self, stream: str, expected: int, events: Sequence[EventData], *, actor: str = "fanfold"
    ) -> list[Envelope]:
        check_stream(stream)
        with self._lock:
            stored = self._streams.get(stream, [])
            if len(stored) != expected:
                raise StreamConflict(stream, expected, len(stored))
            now = max(self._clock.now(), stored[-1].timestamp) if stored else self._clock.now()
            sealed = list(
                seal(
                    stream,
                    expected,
                    events,
                    project=self._project,
                    actor=actor,
                    now=now,
                    artifacts=self._artifacts,
                )
            )
            if sealed:
                self._streams[stream] = stored + [s.stored for s in sealed]
        return [s.envelope for s in sealed]

    def read(self, stream: str, after: int = 0) -> list[Envelope]:
        with self._lock:
            stored = self._streams.get(stream, [])[max(after, 0) :]
        return [unseal(envelope, self._artifacts) for envelope in stored]

    def streams(self, prefix: str = "") -> list[str]:
        with self._lock:
            return [name for name in self._streams if name.startswith(prefix)]


class _Held(NamedTuple):
    epoch: int
    holder: str | None
    expires: datetime


class MemoryLease:
    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or ManualClock()
        self._held: dict[str, _Held] = {}
        self._lock = RLock()

    def acquire(self, name: str, holder: str, ttl_s: float) -> int:
        with self._lock:
            current = self.holder(name)
            if current not in {None, holder}:
                raise LeaseHeld(name, str(current))
            epoch = self._held[name].epoch if name in self._held else 0
            if current is None:
                epoch += 1
            self._held[name] = _Held(epoch, holder, self._until(ttl_s))
            return epoch

    def renew(self, name: str, holder: str, ttl_s: float) -> None:
        with self._lock:
            held = self._held.get(name)
            if held is None or held.holder != holder:
                raise LeaseLost(f"{name!r} is no longer held by {holder!r}")
            self._held[name] = _Held(held.epoch, holder, self._until(ttl_s))

    def release(self, name: str, holder: str) -> None:
        with self._lock:
            held = self._held.get(name)
            if held is not None and held.holder == holder:
                self._held[name] = _Held(held.epoch, None, self._clock.now())

    def holder(self, name: str) -> str | None:
        with self._lock:
            held = self._held.get(name)
            return held.holder if held and held.expires > self._clock.now() else None

    def _until(self, ttl_s: float) -> datetime:
        return self._clock.now() + timedelta(seconds=ttl_s)
