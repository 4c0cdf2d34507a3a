"""Event streams in JSON-lines files below `.ai-workspace/`."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from fanfold.adapters.envelopes import attempt_folder, seal, unseal
from fanfold.adapters.local.artifact_store import FileArtifactStore, check_key
from fanfold.adapters.local.disk import translated
from fanfold.adapters.local.event_log import EventLog
from fanfold.errors import FanfoldError, StreamConflict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from fanfold.ports import ArtifactStore, Clock
    from fanfold.run.events import Envelope, EventData

LOG = "events.jsonl"


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
        first: dict[str, tuple[datetime, str]] = {}
        for log in self._all_logs(prefix):
            with log.reading():
                for stream, index in log.streams.items():
                    if stream.startswith(prefix):
                        first[stream] = index.first
        return sorted(first, key=first.__getitem__)

    @property
    def skipped_lines(self) -> int:
        """Lines that are no event of ours, in the logs read so far: foreign, torn or repeated."""
        return sum(log.skipped + log.torn_tail for log in list(self._logs.values()))

    def _now(self, log: EventLog, stream: str) -> datetime:
        index = log.streams.get(stream)
        now = self._clock.now()
        return max(now, index.last) if index else now

    def _log_of(self, stream: str) -> EventLog:
        if not stream or not stream.isprintable():
            raise FanfoldError(f"{stream!r} is no name for a stream")
        folder = attempt_folder(stream)
        if folder is None:
            return self._log(
                self._root / "events" / LOG, self._root / "leases" / "events.lock", durable=True
            )
        check_key(folder)
        path = self._root / folder / LOG
        return self._log(path, path.with_name("events.lock"), durable=False)

    def _log(self, path: Path, lock: Path, *, durable: bool) -> EventLog:
        with self._mutex:
            if path not in self._logs:
                self._logs[path] = EventLog(path, lock, durable=durable)
            return self._logs[path]

    def _all_logs(self, prefix: str) -> Iterator[EventLog]:
        run, _, rest = prefix.removeprefix("run/").partition("/")
        one_run = prefix.startswith("run/") and rest.startswith("attempt/")
        if not one_run:
            yield self._log_of("run/any")
        folder = self._root / "runs"
        with translated("list", folder):
            paths = sorted(
                (folder / run if one_run else folder).glob(
                    f"attempts/*/{LOG}" if one_run else f"*/attempts/*/{LOG}"
                )
            )
        for path in paths:
            name = f"run/{path.parts[-4]}/attempt/{path.parts[-2]}"
            if name.startswith(prefix):
                yield self._log_of(name)
