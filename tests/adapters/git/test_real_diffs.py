"""Diffs of real commits are what git applies, and hold the same change as git's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fanfold.adapters.git.repository import GitRepository
from tests.fakes.repositories import git

BUNDLE = Path(__file__).parents[3].parent / "shared" / "data" / "merges" / "cases.bundle"


@pytest.mark.skipif(not BUNDLE.exists(), reason="the shared data is not here")
def test_real_changes_round_trip(tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--mirror", str(BUNDLE), "cases")
    repository = GitRepository(tmp_path / "cases")
    refs = [ref for ref in repository.objects.references if ref.endswith("/base")]
    assert len(refs) > 100
    for ref in refs[::4]:
        for side in ("p1", "p2"):
            base, tree = repository.tree_of(ref), repository.tree_of(f"{ref[:-4]}{side}")
            assert applied(repository, base, repository.diff(base, tree), tmp_path) == tree


def applied(repository: GitRepository, base: str, patch: bytes, scratch: Path) -> str:
    (scratch / "index").unlink(missing_ok=True)
    command = ["env", f"GIT_INDEX_FILE={scratch / 'index'}", "git", "--git-dir=."]
    script = [["read-tree", base], ["apply", "--cached", "--whitespace=nowarn"], ["write-tree"]]
    told = b""
    for arguments in script if patch else [script[0], script[2]]:
        done = subprocess.run(
            [*command, *arguments],
            cwd=repository.git_dir,
            input=patch,
            check=True,
            capture_output=True,
        )
        told = done.stdout
    return told.decode().strip()
