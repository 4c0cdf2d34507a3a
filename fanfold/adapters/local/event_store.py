"""Event streams in JSON-lines files below `.ai-workspace/`."""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING

from fanfold.adapters.envelopes import attempt_folder, check_stream, seal, unseal
from fanfold.adapters.keys import check_key
from fanfold.adapters.local.artifact_store import FileArtifactStore
from fanfold.adapters.local.disk import translated
from fanfold.adapters.local.event_log import EventLog
from fanfold.adapters.local.log_index import first_event
from fanfold.errors import StreamConflict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from fanfold.ports import ArtifactStore, Clock
    from fanfold.run.events import Envelope, EventData

LOG = "events.jsonl"
_RUN_OF_ATTEMPTS = re.compile(r"run/([^/]+)/attempt/")


class JsonlEventStore:
    """ports.EventStore: attempt streams beside their artifacts, all others in the shared log.

    An append is one `write` under a lock among processes, so `kill -9` leaves all of it, nothing,
    or (where the kernel was stopped between two pages) its first events and a torn line, which
    readers skip. Appends to the shared log are also synced, since they order and pay for work. An
    attempt's log is not: after a power cut the attempt is lost in any case, and counted in full
    from what the run's stream reserved.
    """

    def __init__(
        self,
        workspace_dir: Path,
        project: str,
        clock: Clock,
        artifacts: ArtifactStore | None = None,
    ) -> None:
        self._root, self._project, self._clock = workspace_dir, project, clock
        self._artifacts = artifacts or FileArtifactStore(workspace_dir)
        self._logs: dict[Path, EventLog] = {}
        self._mutex = Lock()

    def append(
        self, stream: str, expected: int, events: Sequence[EventData], *, actor: str = "fanfold"
    ) -> list[Envelope]:
        """Append all `events` after version `expected`; on an error nothing of them was appended.

        Raises:
            StreamConflict: the stream is elsewhere.
            FanfoldError: the disk refuses.
        """
        check_stream(stream)
        log = self._log_of(stream)
        with log.writing():
            if (actual := log.version(stream)) != expected:
                raise StreamConflict(stream, expected, actual)
            if not events:
                return []
            sealed = list(
                seal(
                    stream,
                    expected,
                    events,
                    project=self._project,
                    actor=actor,
                    now=self._now(log, stream),
                    artifacts=self._artifacts,
                )
            )
            log.append([s.stored for s in sealed])
        return [s.envelope for s in sealed]

    def read(self, stream: str, after: int = 0) -> list[Envelope]:
        """Raises `FanfoldError` when a line of the stream is missing or cannot be read."""
        log = self._log_of(stream)
        with log.reading():
            stored = log.read(stream, after)
        return [unseal(envelope, self._artifacts) for envelope in stored]

    def streams(self, prefix: str = "") -> list[str]:
        """Names of the streams that start with `prefix`, in order of first append.

        Of attempts' logs only the beginnings are read. Raises `FanfoldError`.
        """
        first: dict[str, tuple[datetime, str]] = {}
        shared = self._log_of("")
        with shared.reading():
            first.update((stream, index.first) for stream, index in shared.streams.items())
        for path in self._attempt_logs(prefix):
            event = first_event(path)
            if event is not None:
                first[event.stream] = event.timestamp, event.event_id
        return sorted((s for s in first if s.startswith(prefix)), key=first.__getitem__)

    @property
    def skipped_lines(self) -> int:
        """Lines that are no event of ours, in the logs read so far: foreign, torn or repeated."""
        return sum(log.skipped for log in list(self._logs.values()))

    def _now(self, log: EventLog, stream: str) -> datetime:
        index = log.streams.get(stream)
        now = self._clock.now()
        return max(now, index.last) if index else now

    def _log_of(self, stream: str) -> EventLog:
        folder = attempt_folder(stream)
        if folder is None:
            lock = self._root / "leases" / "events.lock"
            return self._log(self._root / "events" / LOG, lock, durable=True)
        check_key(folder)
        path = self._root / folder / LOG
        return self._log(path, path.with_name("events.lock"), durable=False)

    def _log(self, path: Path, lock: Path, *, durable: bool) -> EventLog:
        with self._mutex:
            if path not in self._logs:
                self._logs[path] = EventLog(path, lock, durable=durable)
            return self._logs[path]

    def _attempt_logs(self, prefix: str) -> list[Path]:
        run = _RUN_OF_ATTEMPTS.match(prefix)
        folder, pattern = self._root / "runs", f"attempts/*/{LOG}"
        with translated("list", folder):
            return list((folder / run[1]).glob(pattern) if run else folder.glob(f"*/{pattern}"))
