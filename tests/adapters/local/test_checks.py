"""Checks run on the tree they are asked for, and leave nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.checks import TreeChecks
from fanfold.adapters.local.sandbox import NoSandbox
from tests.fakes.repositories import make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "repo", {"a.txt": "old\n"})


@pytest.fixture
def checks(repository: GitRepository, tmp_path: Path) -> TreeChecks:
    sandbox = NoSandbox({"PATH": os.defpath, "HOME": str(tmp_path)})
    return TreeChecks(GitWorkspaces(repository, tmp_path / "home", sandbox))


def test_commands_see_the_tree_and_share_its_checkout(
    checks: TreeChecks, repository: GitRepository
) -> None:
    tree = repository.replace(repository.tree_of("HEAD"), "a.txt", b"new\n")
    results = checks.run(tree, [("cat a.txt; touch made", 5), ("false", 5), ("ls made", 5)])
    assert [result.exit_code for result in results] == [0, 1, 0]
    assert results[0].output == "new\n"


def test_a_tree_starts_fresh_and_leaves_nothing(
    checks: TreeChecks, repository: GitRepository, tmp_path: Path
) -> None:
    tree = repository.tree_of("HEAD")
    checks.run(tree, [("echo spoilt >a.txt; mkdir d; chmod 0 d", 5)])
    assert checks.run(tree, [("cat a.txt", 5)])[0].output == "old\n"
    left = [p.name for live in (tmp_path / "home").iterdir() for p in live.iterdir()]
    assert left == ["objects"]


def test_late_commands_are_stopped_and_the_next_still_runs(
    checks: TreeChecks, repository: GitRepository
) -> None:
    slow, after = checks.run(repository.tree_of("HEAD"), [("sleep 30", 0.2), ("echo on", 5)])
    assert slow.timed_out
    assert slow.exit_code == 124
    assert after.output == "on\n"


def test_no_commands_need_no_checkout(
    checks: TreeChecks, repository: GitRepository, tmp_path: Path
) -> None:
    assert checks.run(repository.tree_of("HEAD"), []) == []
    assert not (tmp_path / "home").exists()
