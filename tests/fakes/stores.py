"""The backends of the stores' conformance suites; a further one is one more entry in `BACKENDS`."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.aws.event_store import DynamoEventStore
from fanfold.adapters.aws.lease import DynamoLease
from fanfold.adapters.aws.table import Table
from fanfold.adapters.local.artifact_store import FileArtifactStore
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.adapters.local.lease import FileLease
from tests.fakes.memory import ManualClock, MemoryArtifactStore, MemoryEventStore, MemoryLease
from tests.kit.account import BUCKET, COORDINATION, EVENTS, account

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from fanfold.ports import ArtifactStore, EventStore, Lease


class Stores(NamedTuple):
    """Ways to open one backend; whatever is opened twice sees the same state."""

    clock: ManualClock
    events: Callable[[], EventStore]
    artifacts: Callable[[], ArtifactStore]
    lease: Callable[[], Lease]


@contextmanager
def memory(_: Path) -> Generator[Stores]:
    clock = ManualClock()
    artifacts = MemoryArtifactStore()
    events, lease = MemoryEventStore(clock, "demo", artifacts), MemoryLease(clock)
    yield Stores(clock, lambda: events, lambda: artifacts, lambda: lease)


@contextmanager
def local(folder: Path) -> Generator[Stores]:
    clock = ManualClock()
    root = folder / ".ai-workspace"
    yield Stores(
        clock,
        lambda: JsonlEventStore(root, "demo", clock),
        lambda: FileArtifactStore(root),
        lambda: FileLease(root, clock),
    )


@contextmanager
def moto(_: Path) -> Generator[Stores]:
    clock = ManualClock()
    with account() as clients:
        events = Table(clients.dynamodb, EVENTS)
        artifacts = S3ArtifactStore(clients.s3, BUCKET)
        yield Stores(
            clock,
            lambda: DynamoEventStore(events, "demo", clock, artifacts),
            lambda: artifacts,
            lambda: DynamoLease(Table(clients.dynamodb, COORDINATION), clock),
        )


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[Stores]]] = {
    "memory": memory,
    "local": local,
    "moto": moto,
}
