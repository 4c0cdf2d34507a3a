"""The backends of the repositories' conformance suite."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.git.snapshots import SnapshotRepository, published_folder, push_snapshot
from tests.fakes.repositories import make_repository
from tests.kit.account import BUCKET, account

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository

    Files = Mapping[str, bytes | str]


@contextmanager
def on_disk(folder: Path, files: Files) -> Generator[GitRepository]:
    yield make_repository(folder / "repo", files)


@contextmanager
def snapshot(folder: Path, files: Files) -> Generator[GitRepository]:
    """One without a checkout, from packs in S3."""
    origin = make_repository(folder / "repo", files)
    commit = origin.commit_of("HEAD")
    with account() as clients:
        artifacts = S3ArtifactStore(clients.s3, BUCKET)
        push_snapshot(origin, commit, artifacts)
        yield SnapshotRepository(
            folder / "bare", artifacts, home=published_folder("r1"), snapshots=[commit]
        )


REPOSITORIES: dict[str, Callable[[Path, Files], AbstractContextManager[GitRepository]]] = {
    "git": on_disk,
    "snapshot": snapshot,
}
