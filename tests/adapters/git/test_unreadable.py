"""What commands do to modes, depth and size costs an attempt no more than those files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.folders import remove
from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.errors import TreeIncomplete
from tests.fakes.repositories import git, make_repository
from tests.kit.rights import bound_by_modes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import Workspace

FILES = {"a.txt": "a\n", "d/b.txt": "b\n", "d/e/c.txt": "c\n", ".gitignore": "out/\n"}
DEEP = "deep=$(printf 'a/%.0s' $(seq 1500)); mkdir -p $deep; echo x >${deep}f"
LONG = "n=$(printf 'a%.0s' $(seq 250)); for i in $(seq 25); do mkdir $n && cd $n; done"


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "repo", FILES)


@pytest.fixture(params=[(), ("a.txt",)], ids=["whole", "veiled"])
def workspace(
    repository: GitRepository, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Workspace]:
    sandbox = NoSandbox({"PATH": os.defpath, "HOME": str(tmp_path)})
    workspaces = GitWorkspaces(repository, tmp_path / "home", sandbox)
    yield workspaces.open(repository.tree_of("HEAD"), shell=True, name="t", hide=request.param)
    workspaces.close()
    assert list((tmp_path / "home").iterdir()) == []


def listed(repository: GitRepository, tree: str) -> list[str]:
    return git(repository.root, "ls-tree", "-r", "--name-only", tree).decode().split()


@pytest.mark.parametrize(
    "command",
    [
        "chmod 0 d/new",
        "chmod 0 d/e",
        "chmod 0 d/e d",
        "chmod a-x d",
        "chmod 0 .",
        "chmod 0 .gitignore",
    ],
)
def test_what_commands_made_unreadable_is_read(
    workspace: Workspace, repository: GitRepository, command: str
) -> None:
    with bound_by_modes():
        workspace.run(f"mkdir -p out; echo x >out/x; echo new | tee d/new >d/e/new; {command}", 5)
        assert workspace.run("true", 5).exit_code == 0
        tree = workspace.tree()
        assert workspace.files()[-4:] == ["d/b.txt", "d/e/c.txt", "d/e/new", "d/new"]
        assert workspace.run("cat d/b.txt", 5).output == "b\n"
    kept = [".gitignore", "a.txt", "d/b.txt", "d/e/c.txt", "d/e/new", "d/new"]
    assert listed(repository, tree) == kept


def test_links_to_unreadable_places_lead_to_no_change_there(
    workspace: Workspace, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0)
    with bound_by_modes():
        workspace.run(f"rm -r d; ln -s {outside} d; ln -s {outside} out; ln -s {outside} n", 5)
        workspace.tree()
    assert stat.S_IMODE(outside.stat().st_mode) == 0


def test_what_cannot_be_read_stays_as_it_was(
    workspace: Workspace, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So files of another user, or on a broken disk."""
    scandir = os.scandir

    def broken(place: str | Path) -> object:
        if Path(place).name == "d":
            raise OSError(5, "Input/output error")
        return scandir(place)

    workspace.run("echo new >n; rm .gitignore", 5)
    monkeypatch.setattr(os, "scandir", broken)
    with pytest.raises(TreeIncomplete, match="'d' cannot be read: Input/output error") as told:
        workspace.tree()
    assert listed(repository, told.value.tree) == ["a.txt", "d/b.txt", "d/e/c.txt", "n"]
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (DEEP, "lies in more than 200 others"),
        (LONG, "File name too long"),
        ("truncate -s 200M huge", "'huge' has 209715200 bytes"),
    ],
    ids=["deep", "long", "huge"],
)
def test_what_no_tree_can_hold_costs_only_itself(
    workspace: Workspace, repository: GitRepository, command: str, said: str
) -> None:
    workspace.run("echo new >n; rm d/b.txt", 5)
    workspace.run(command, 20)
    assert "n" in workspace.files()
    with pytest.raises(TreeIncomplete, match=said) as told:
        workspace.tree()
    assert listed(repository, told.value.tree) == [".gitignore", "a.txt", "d/e/c.txt", "n"]


def test_a_folder_is_removed_with_all_that_hinders(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir(mode=0o700)
    (outside / "kept").touch()
    NoSandbox({"PATH": os.defpath}).run(
        f"ln -s {outside} link; touch f; {DEEP}; chmod 0 .", str(folder), 20
    )
    with bound_by_modes():
        remove(folder)
    assert not folder.exists()
    assert (outside / "kept").exists()
