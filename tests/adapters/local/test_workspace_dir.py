"""Finding and making `.ai-workspace`, unseen by git."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.local.workspace_dir import common_git_dir, prepare_workspace_dir
from fanfold.errors import FanfoldError, InvalidRepository

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    git(tmp_path, "init", "-q", "repository")
    (root / ".gitignore").write_text("*.pyc\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "start")
    return root


def fill(folder: Path) -> None:
    for name in ("runs/r1/plan.md", "snapshots/x.pack", "leases/x.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def test_what_machines_write_is_unseen_by_git(repository: Path) -> None:
    folder = prepare_workspace_dir(repository)
    assert folder == repository / ".ai-workspace"
    fill(folder)
    assert git(repository, "status", "--porcelain") == ""
    (folder / "events").mkdir()
    (folder / "events" / "events.jsonl").write_text("")
    assert git(repository, "status", "--porcelain") == "?? .ai-workspace/\n"


def test_folders_of_that_name_elsewhere_stay_visible(repository: Path) -> None:
    prepare_workspace_dir(repository)
    fill(repository / "sub" / ".ai-workspace")
    assert git(repository, "status", "--porcelain") == "?? sub/\n"


@pytest.mark.parametrize("before", [None, b"", b"*.log", b"*.log\r\n# mine\r\n"])
def test_the_exclude_file_is_added_to_once(repository: Path, before: bytes | None) -> None:
    exclude = repository / ".git" / "info" / "exclude"
    if before is None:
        exclude.unlink()
        exclude.parent.rmdir()
    else:
        exclude.write_bytes(before)
    prepare_workspace_dir(repository)
    first = exclude.read_bytes()
    prepare_workspace_dir(repository)
    assert exclude.read_bytes() == first
    assert first.startswith(before or b"")
    assert first.splitlines().count(b"/.ai-workspace/runs/") == 1
    assert set((before or b"").splitlines()) <= set(first.splitlines())


def test_a_work_tree_has_its_own_folder_and_the_common_exclude(repository: Path) -> None:
    git(repository, "worktree", "add", "-q", "../other")
    other = repository.parent / "other"
    folder = prepare_workspace_dir(other)
    assert folder == other / ".ai-workspace"
    assert common_git_dir(other) == (repository / ".git").resolve()
    fill(folder)
    assert git(other, "status", "--porcelain") == ""


def test_a_submodule_keeps_its_exclude_with_itself(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(repository), "outer")
    allow = ("-c", "protocol.file.allow=always")
    git(tmp_path / "outer", *allow, "submodule", "--quiet", "add", str(repository), "inner")
    inner = tmp_path / "outer" / "inner"
    fill(prepare_workspace_dir(inner))
    assert git(inner, "status", "--porcelain") == ""


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRepository, match="not the root of a git work tree"):
        prepare_workspace_dir(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_pointer_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("nonsense")
    with pytest.raises(InvalidRepository, match="gitdir"):
        prepare_workspace_dir(tmp_path)


def test_a_file_in_the_way_is_named(repository: Path) -> None:
    (repository / ".ai-workspace").write_text("mine")
    with pytest.raises(FanfoldError, match="move away the file"):
        prepare_workspace_dir(repository)
