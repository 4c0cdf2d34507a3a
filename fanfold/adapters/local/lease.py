"""Exclusive ownership of a name among the processes of this machine."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import msgspec

from fanfold.adapters.local.disk import locked, translated, write_atomic
from fanfold.adapters.local.processes import ProcessIdentity, is_gone, own_identity
from fanfold.errors import FanfoldError, LeaseHeld, LeaseLost
from fanfold.run.decoders import learn

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.ports import Clock

_LONGEST_NAME = 200


class LeaseRecord(msgspec.Struct, frozen=True):
    """A lease's file; it outlives its holder, because the epoch must never go back."""

    name: str
    epoch: int
    holder: str | None
    expires: Annotated[datetime, msgspec.Meta(tz=True)]
    process: ProcessIdentity


class FileLease:
    """ports.Lease in `.ai-workspace/leases/`, one JSON file a name.

    An expired lease can be taken by anybody; until somebody does, its holder can still renew it (a
    laptop that slept goes on where it was).
    """

    def __init__(self, workspace_dir: Path, clock: Clock) -> None:
        self._folder, self._clock = workspace_dir / "leases", clock
        self._lock = self._folder / "leases.lock"

    def acquire(self, name: str, holder: str, ttl_s: float) -> int:
        """Gives the epoch; the same one to a holder that has it already. Raises `LeaseHeld`."""
        with locked(self._lock):
            record = self._read(name)
            current = self._live_holder(record)
            if record is None:
                epoch = 1
            elif current is None:
                epoch = record.epoch + 1
            elif current == holder:
                epoch = record.epoch
            else:
                raise LeaseHeld(name, current)
            self._write(name, epoch, holder, ttl_s)
            return epoch

    def renew(self, name: str, holder: str, ttl_s: float) -> None:
        with locked(self._lock):
            record = self._read(name)
            if record is None or record.holder != holder:
                owner = record.holder if record and record.holder else "nobody"
                raise LeaseLost(f"{name!r} is no longer held by {holder!r} but by {owner!r}")
            self._write(name, record.epoch, holder, ttl_s)

    def release(self, name: str, holder: str) -> None:
        with locked(self._lock):
            record = self._read(name)
            if record is not None and record.holder == holder:
                self._write(name, record.epoch, None, 0.0)

    def holder(self, name: str) -> str | None:
        return self._live_holder(self._read(name))

    def _live_holder(self, record: LeaseRecord | None) -> str | None:
        if record is None or record.expires <= self._clock.now() or is_gone(record.process):
            return None
        return record.holder

    def _read(self, name: str) -> LeaseRecord | None:
        path = self._path(name)
        with translated("read", path):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            return msgspec.json.decode(content, type=LeaseRecord)
        except msgspec.DecodeError as error:
            raise FanfoldError(f"{str(path)!r} is no lease ({error}); remove the file") from error

    def _write(self, name: str, epoch: int, holder: str | None, ttl_s: float) -> None:
        expires = self._clock.now() + timedelta(seconds=ttl_s)
        record = LeaseRecord(name, epoch, holder, expires, own_identity())
        write_atomic(self._path(name), msgspec.json.encode(record), durable=False)

    def _path(self, name: str) -> Path:
        file = quote(name, safe="")
        if len(file) > _LONGEST_NAME:
            file = file[:100] + hashlib.sha256(name.encode()).hexdigest()
        return self._folder / f"{file}.json"


learn(LeaseRecord)
