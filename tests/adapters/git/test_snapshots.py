"""Snapshots among the artifacts, and what a run publishes on top of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git.snapshots import (
    SnapshotRepository,
    published_folder,
    push_snapshot,
    snapshot_key,
    take_packs,
)
from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.errors import ArtifactCorrupt, ArtifactMissing
from tests.fakes.memory import MemoryArtifactStore
from tests.fakes.repositories import git, make_repository, write_files

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AUTHOR = ("Ann", "ann@example.org")
HOME = published_folder("r1")
FILES = {"a.txt": "a\n", "deep/er/b.txt": "b\n", "x*": "#!\n", "link@": "a.txt"}


@pytest.fixture
def origin(tmp_path: Path) -> GitRepository:
    made = make_repository(tmp_path / "repo", {"old.txt": "only in history\n"})
    git(made.root, "rm", "-q", "old.txt")
    write_files(made.root, FILES)
    git(made.root, "add", "-A")
    git(made.root, "commit", "-qm", "next")
    return made


@pytest.fixture
def artifacts() -> MemoryArtifactStore:
    return MemoryArtifactStore()


def opened(
    folder: Path, artifacts: MemoryArtifactStore, *snapshots: str, publishes: bool = True
) -> SnapshotRepository:
    return SnapshotRepository(
        folder, artifacts, home=HOME, snapshots=snapshots, publishes=publishes
    )


def test_a_snapshot_is_read_without_a_checkout(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore
) -> None:
    head = origin.commit_of("HEAD")
    assert push_snapshot(origin, head, artifacts)
    bare = opened(tmp_path / "bare", artifacts, head)
    assert bare.tree_of(head) == origin.tree_of(head)
    assert bare.files(bare.tree_of(head)) == ["a.txt", "deep/er/b.txt", "link", "x"]
    assert bare.read(bare.tree_of(head), "deep/er/b.txt") == b"b\n"
    assert not (tmp_path / "bare" / "a.txt").exists()


def test_a_snapshot_leaves_history_out_and_is_sound_to_git(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore
) -> None:
    head = origin.commit_of("HEAD")
    push_snapshot(origin, head, artifacts)
    bare = opened(tmp_path / "bare", artifacts, head)
    git(bare.root, "fsck", "--strict")
    assert git(bare.root, "rev-list", "--count", head).strip() == b"1"
    old = origin.objects.revparse_single("HEAD~1:old.txt").id
    assert str(old) not in bare.objects


def test_a_snapshot_is_pushed_once(origin: GitRepository, artifacts: MemoryArtifactStore) -> None:
    head = origin.commit_of("HEAD")
    assert push_snapshot(origin, head, artifacts)
    assert not push_snapshot(origin, head, artifacts)


def test_a_push_that_was_cut_off_is_made_again(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore
) -> None:
    head = origin.commit_of("HEAD")
    artifacts.put(snapshot_key(head, "pack"), b"half")
    with pytest.raises(ArtifactMissing, match="push it again"):
        opened(tmp_path / "bare", artifacts, head)
    assert push_snapshot(origin, head, artifacts)
    assert opened(tmp_path / "bare", artifacts, head).commit_of("HEAD") == head


@pytest.mark.parametrize("suffix", ["pack", "idx"])
def test_a_damaged_snapshot_is_refused(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore, suffix: str
) -> None:
    head = origin.commit_of("HEAD")
    push_snapshot(origin, head, artifacts)
    key = snapshot_key(head, suffix)
    artifacts.put(key, artifacts.get(key)[:-1])
    with pytest.raises(ArtifactCorrupt, match="no whole pack"):
        opened(tmp_path / "bare", artifacts, head)


def test_uncommitted_work_is_a_small_snapshot_on_top(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore
) -> None:
    write_files(origin.root, {"new.txt": "new\n", "a.txt": "changed\n"})
    head, tree = origin.commit_of("HEAD"), origin.dirty_tree()
    push_snapshot(origin, head, artifacts)
    push_snapshot(origin, tree, artifacts, without=[head])
    bare = opened(tmp_path / "bare", artifacts, head, tree)
    assert bare.read(tree, "a.txt") == b"changed\n"
    assert bare.read(tree, "deep/er/b.txt") == b"b\n"
    idx = {oid: len(artifacts.get(snapshot_key(oid, "idx"))) for oid in (head, tree)}
    assert idx[tree] < idx[head]


def test_what_one_process_publishes_another_reads(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore
) -> None:
    head = origin.commit_of("HEAD")
    push_snapshot(origin, head, artifacts)
    writer = opened(tmp_path / "one", artifacts, head)
    reader = opened(tmp_path / "two", artifacts, head)
    tree = writer.replace(writer.tree_of(head), "a.txt", b"A\n")
    writer.keep("runs/r1/merged", tree)
    tip = writer.commit(tree, head, "task", WHEN, AUTHOR)
    writer.set_ref("refs/heads/fanfold/r1", tip)
    writer.note(tip, "Task: one", WHEN, AUTHOR)
    reader.refresh()
    assert reader.read(tree, "a.txt") == b"A\n"
    assert reader.ref("refs/heads/fanfold/r1") == tip
    assert reader.note_of(tip) == "Task: one"
    assert opened(tmp_path / "three", artifacts, head).note_of(tip) == "Task: one"
    git(reader.root, "fsck", "--strict")


def test_the_users_repository_takes_the_result(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore
) -> None:
    head = origin.commit_of("HEAD")
    push_snapshot(origin, head, artifacts)
    writer = opened(tmp_path / "one", artifacts, head)
    tree = writer.replace(writer.tree_of(head), "a.txt", b"A\n")
    tip = writer.commit(tree, head, "task", WHEN, AUTHOR)
    writer.set_ref("refs/heads/fanfold/r1", tip)
    assert take_packs(origin, artifacts, HOME) == 1
    assert take_packs(origin, artifacts, HOME) == 0
    origin.set_ref("refs/heads/fanfold/r1", tip)
    assert git(origin.root, "log", "--format=%s", "fanfold/r1").split() == [
        b"task",
        b"next",
        b"start",
    ]
    git(origin.root, "fsck", "--strict")


def test_an_attempt_publishes_nothing(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore
) -> None:
    head = origin.commit_of("HEAD")
    push_snapshot(origin, head, artifacts)
    before = artifacts.list("")
    bare = opened(tmp_path / "bare", artifacts, head, publishes=False)
    workspace = GitWorkspaces(bare, tmp_path).open(bare.tree_of(head), shell=False, name="1.1")
    workspace.write("a.txt", b"A\n")
    tree = workspace.tree()
    assert b"+A\n" in bare.diff(bare.tree_of(head), tree)
    bare.keep("x", tree)
    bare.publish()
    assert artifacts.list("") == before


def test_a_warm_folder_is_used_again(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore
) -> None:
    head = origin.commit_of("HEAD")
    push_snapshot(origin, head, artifacts)
    opened(tmp_path / "bare", artifacts, head)
    artifacts.delete("snapshots")
    assert opened(tmp_path / "bare", artifacts, head).commit_of("HEAD") == head


def test_publishing_packs_what_was_loose_and_keeps_it_readable(
    tmp_path: Path, origin: GitRepository, artifacts: MemoryArtifactStore
) -> None:
    head = origin.commit_of("HEAD")
    push_snapshot(origin, head, artifacts)
    bare = opened(tmp_path / "bare", artifacts, head)
    tree = bare.replace(bare.tree_of(head), "n/e/w", b"new\n")
    bare.publish()
    assert git(bare.root, "count-objects").startswith(b"0 objects")
    assert bare.read(tree, "n/e/w") == b"new\n"
    packs = artifacts.list(HOME)
    bare.publish()
    assert artifacts.list(HOME) == packs
