"""A run's result from among the artifacts, in the clone it was asked from and in others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from fanfold.adapters.git.fetch import fetch_result
from fanfold.adapters.git.origin import name_of, origin_name
from fanfold.adapters.git.repository import NOTES, open_repository
from fanfold.adapters.git.snapshots import SnapshotRepository, published_folder, push_snapshot
from fanfold.adapters.git.trees import EMPTY_TREE
from fanfold.errors import AccessDenied, InvalidRepository
from fanfold.run.events import PlanWrittenBack
from fanfold.run.state import RunState
from tests.fakes.memory import MemoryArtifactStore
from tests.fakes.repositories import git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository

RUN, BRANCH = "5ce7a10000", "fanfold/5ce7a10000"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AUTHOR = ("Ann", "ann@example.org")


@pytest.fixture
def origin(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "origin", {"a.txt": "a\n"})


def clone(origin: GitRepository, folder: Path, *words: str) -> GitRepository:
    git(origin.root, "clone", "-q", *words, f"file://{origin.root}", str(folder))
    return open_repository(folder)


def played(
    repository: GitRepository, base: str, folder: Path
) -> tuple[MemoryArtifactStore, RunState]:
    """A run of one commit with its note on top of `base`, in the cloud."""
    artifacts = MemoryArtifactStore()
    push_snapshot(repository, base, artifacts)
    there = SnapshotRepository(folder, artifacts, home=published_folder(RUN), snapshots=[base])
    tree = there.replace(there.tree_of(base), "b.txt", b"b\n")
    tip = there.commit(tree, base, "Write b", WHEN, AUTHOR)
    there.note(tip, "Wrote b.", WHEN, AUTHOR)
    there.keep(f"runs/{RUN}/merged", there.tree_of(tip))
    there.set_ref(f"refs/heads/{BRANCH}", tip)
    there.set_ref("refs/heads/main", tip)
    written = PlanWrittenBack(BRANCH, tip, tree, tree, {})
    return artifacts, RunState(run_id=RUN, base=base, written=written)


def test_a_result_comes_with_its_notes_and_moves_its_own_branch_alone(
    origin: GitRepository, tmp_path: Path
) -> None:
    head = origin.commit_of("HEAD")
    origin.note(head, "the user's own", WHEN, AUTHOR)
    artifacts, state = played(origin, head, tmp_path / "cloud")
    for _ in range(2):
        fetch_result(origin, artifacts, state)
    assert state.written
    assert origin.ref(f"refs/heads/{BRANCH}") == state.written.tip
    assert origin.commit_of("main") == head
    assert origin.note_of(state.written.tip) == "Wrote b."
    assert origin.note_of(head) == "the user's own"
    assert f"refs/fanfold/runs/{RUN}/merged" in list(origin.objects.references)
    git(origin.root, "fsck", "--strict", "--connectivity-only")


def test_a_log_that_names_the_users_branch_moves_nothing(
    origin: GitRepository, tmp_path: Path
) -> None:
    head = origin.commit_of("HEAD")
    artifacts, state = played(origin, head, tmp_path / "cloud")
    assert state.written
    hostile = msgspec.structs.replace(state.written, branch="main")
    with pytest.raises(AccessDenied, match="may not move refs/heads/main; allowed: refs/heads/fan"):
        fetch_result(origin, artifacts, msgspec.structs.replace(state, written=hostile))
    assert origin.commit_of("main") == head


def test_notes_that_git_spreads_over_folders_come_too(
    origin: GitRepository, tmp_path: Path
) -> None:
    artifacts, state = played(origin, origin.commit_of("HEAD"), tmp_path / "cloud")
    there = SnapshotRepository(
        tmp_path / "cloud", artifacts, home=published_folder(RUN), snapshots=[]
    )
    assert state.written
    tip = state.written.tip
    spread = there.replace(EMPTY_TREE, f"{tip[:2]}/{tip[2:4]}/{tip[4:]}", b"Far down.\n")
    there.set_ref(NOTES, there.commit(spread, "", "notes", WHEN, AUTHOR))
    fetch_result(origin, artifacts, state)
    assert origin.note_of(tip) == "Far down.\n"


def test_another_clone_gets_a_base_that_was_made_for_the_run(
    origin: GitRepository, tmp_path: Path
) -> None:
    other = clone(origin, tmp_path / "other")
    tree = origin.replace(origin.tree_of("HEAD"), "new.txt", b"not committed\n")
    base = origin.commit(tree, origin.commit_of("HEAD"), "snapshot\n", WHEN, AUTHOR)
    artifacts, state = played(origin, base, tmp_path / "cloud")
    fetch_result(other, artifacts, state)
    assert git(other.root, "show", f"{BRANCH}:new.txt") == b"not committed\n"
    git(other.root, "fsck", "--strict", "--connectivity-only")


def test_a_clone_that_lacks_what_the_base_is_built_on_is_left_as_it_is(
    origin: GitRepository, tmp_path: Path
) -> None:
    other = clone(origin, tmp_path / "other")
    for name in ("one", "two"):
        git(origin.root, "commit", "-q", "--allow-empty", "-m", name)
    artifacts, state = played(origin, origin.commit_of("HEAD"), tmp_path / "cloud")
    for _ in range(2):
        with pytest.raises(InvalidRepository, match="not in this clone"):
            fetch_result(other, artifacts, state)
    assert other.ref(f"refs/heads/{BRANCH}") is None


def test_a_shallow_clone_takes_a_result(origin: GitRepository, tmp_path: Path) -> None:
    git(origin.root, "commit", "-q", "--allow-empty", "-m", "second")
    artifacts, state = played(origin, origin.commit_of("HEAD"), tmp_path / "cloud")
    shallow = clone(origin, tmp_path / "shallow", "--depth=1")
    fetch_result(shallow, artifacts, state)
    assert state.written
    assert shallow.ref(f"refs/heads/{BRANCH}") == state.written.tip


def test_a_result_that_was_cleaned_away_is_told(origin: GitRepository, tmp_path: Path) -> None:
    artifacts, state = played(origin, origin.commit_of("HEAD"), tmp_path / "cloud")
    artifacts.delete(f"runs/{RUN}/")
    with pytest.raises(InvalidRepository, match="cleaned away"):
        fetch_result(origin, artifacts, state)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://git.example.com/team/tool.git", "team/tool"),
        ("https://ada:secret@git.example.com:8443/team/tool", "team/tool"),
        ("ssh://git@git.example.com/team/sub/tool.git", "team/sub/tool"),
        ("git@git.example.com:team/tool.git", "team/tool"),
        ("/srv/git/tool.git", "tool"),
        ("../tool", "tool"),
        ("C:/work/tool", "tool"),
        ("file:///srv/git/tool.git", "tool"),
        ("", None),
    ],
)
def test_clones_of_one_repository_have_one_name(url: str, name: str | None) -> None:
    assert name_of(url) == name


def test_a_repository_without_an_origin_has_no_name_there(origin: GitRepository) -> None:
    assert origin_name(origin) is None
