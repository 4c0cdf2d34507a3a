"""The engine's verdict is git's, on random repositories and edits."""

from __future__ import annotations

import shutil
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold.patch.merge import Applied, Conflicted, Incoming, merge
from fanfold.patch.read import read_patch
from tests.adapters.patch.oracle import git_merge
from tests.adapters.patch.repos import bare, git_diff, write_tree
from tests.adapters.patch.scenes import base_files, edited

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
WITHIN_TEST = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@WITHIN_TEST
@given(seed=st.integers(0, 1 << 32))
def test_merge_gives_gits_tree_or_gits_conflicted_paths(tmp_path: Path, seed: int) -> None:
    repo = bare(tmp_path / "repo.git")
    choose = Random(seed).randrange
    files = base_files(choose)
    ours, theirs = edited(files, choose, "a"), edited(files, choose, "b")
    base, one, two = (write_tree(repo, side) for side in (files, ours, theirs))
    verdict = git_merge(repo, base, one, two)

    result = merge(
        repo,
        base,
        [
            Incoming("a", read_patch(git_diff(repo, base, one)), base),
            Incoming("b", read_patch(git_diff(repo, base, two, "-M", "-C")), base),
        ],
    )

    first, second = result.outcomes
    assert first == Applied("a")
    if isinstance(second, Conflicted):
        assert (verdict.tree, result.tree) == (None, one)
        assert not verdict.paths or second.paths == verdict.paths
    else:
        assert result.tree == verdict.tree


@WITHIN_TEST
@given(seed=st.integers(0, 1 << 32))
def test_reading_and_applying_any_diff_of_git_gives_its_tree(tmp_path: Path, seed: int) -> None:
    repo = bare(tmp_path / "repo.git")
    choose = Random(seed).randrange
    files = base_files(choose)
    base, changed = write_tree(repo, files), write_tree(repo, edited(files, choose, "a"))
    options = (["-M", "-C"], ["--no-renames"], ["-U0"], ["-M", "-U1"])[choose(4)]
    patch = read_patch(git_diff(repo, base, changed, *options))
    assert merge(repo, base, [Incoming("a", patch, base)]).tree == changed
