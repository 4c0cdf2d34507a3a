"""Ends a command that fills the disk, before there is no room for anybody."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.run.incidents import Incident, IncidentKind

if TYPE_CHECKING:
    from fanfold.ports import CommandResult, StopSignal

SPARE_BYTES, SPARE_SHARE = 1 << 30, 0.02
LOOK_S = 1.0


class DiskWatch:
    """A `StopSignal` over another one: also true when little room is left below `root`.

    A disk that was as full before is not the command's doing.
    """

    def __init__(self, root: str, stop: StopSignal | None, spare: int | None = None) -> None:
        self._root, self._stop = root, stop
        usage = shutil.disk_usage(root)
        spare = min(SPARE_BYTES, round(usage.total * SPARE_SHARE)) if spare is None else spare
        self._floor = spare if usage.free > spare else 0
        self._looked = time.monotonic()
        self.full = False

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self.full and now - self._looked >= LOOK_S:
            self._looked = now
            self.full = shutil.disk_usage(self._root).free < self._floor
        return self.full or (self._stop is not None and self._stop())

    def judged(self, result: CommandResult) -> CommandResult:
        """What was ended for the disk's sake was not told to stop: it ran into a limit."""
        if not (self.full and result.stopped):
            return result
        told = Incident(IncidentKind.DISK, "ended: the disk is nearly full")
        kept = tuple(i for i in result.incidents if i.kind is not IncidentKind.STOPPED)
        output = f"{result.output}\n[fanfold: ended, as the disk is nearly full]\n"
        return replace(result, stopped=False, output=output, incidents=(told, *kept))
