"""What every `Workspace` does, over memory and on disk."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git import trees
from fanfold.adapters.git.deferred import DeferredCheckouts
from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.errors import LeaseLost, WorkspaceError
from tests.fakes.repositories import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import Workspace

FILES = {
    "README.md": "hello\n",
    "src/main.py": "print(1)\n",
    "bin/tool*": "#!/bin/sh\n",
    "link@": "README.md",
    "outside@": "/etc/passwd",
    "linked@": "src",
    ".gitignore": "*.log\nbuild/\n!keep.log\n",
    "docs/.gitignore": "*.tmp\n",
    "docs/a.txt": "a\r\nb",
    "tracked.log": "tracked although ignored\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    repository = make_repository(root, {**FILES, "x.py": ""})
    git(root, "add", "-f", "tracked.log")
    git(root, "commit", "-qm", "tracked")
    return repository


@pytest.fixture(params=["overlay", "checkout", "deferred"])
def opened(
    request: pytest.FixtureRequest, repository: GitRepository, tmp_path: Path
) -> Iterator[Callable[[str], Workspace]]:
    sandbox = NoSandbox({"PATH": os.defpath, "HOME": str(tmp_path)})
    workspaces = GitWorkspaces(repository, tmp_path / "home", sandbox, max_file_bytes=10_000)
    shell = request.param != "overlay"
    opening = DeferredCheckouts(workspaces) if request.param == "deferred" else workspaces
    yield lambda tree: opening.open(tree, shell=shell, name="1.1/x", hide=("hidden/**",))
    workspaces.close()


@pytest.fixture
def workspace(opened: Callable[[str], Workspace], repository: GitRepository) -> Iterator[Workspace]:
    workspace = opened(repository.tree_of("HEAD"))
    yield workspace
    workspace.close()


def test_untouched_workspace_gives_its_base_tree(
    workspace: Workspace, repository: GitRepository
) -> None:
    assert workspace.tree() == repository.tree_of("HEAD")
    assert workspace.files() == repository.files(repository.tree_of("HEAD"))


def test_written_files_are_read_listed_and_in_the_tree(
    workspace: Workspace, repository: GitRepository
) -> None:
    workspace.write("src/new/deep.py", b"\xff\x00binary")
    workspace.write("README.md", b"changed\n")
    assert workspace.read("src/new/deep.py") == b"\xff\x00binary"
    assert "src/new/deep.py" in workspace.files()
    tree = workspace.tree()
    assert repository.read(tree, "src/new/deep.py") == b"\xff\x00binary"
    assert repository.read(tree, "README.md") == b"changed\n"
    assert repository.read(tree, "src/main.py") == b"print(1)\n"


def test_executable_bit_is_kept_on_writing(workspace: Workspace, repository: GitRepository) -> None:
    workspace.write("bin/tool", b"#!/bin/sh\nexit 1\n")
    listing = git(repository.root, "ls-tree", "-r", workspace.tree()).decode()
    assert [row.split()[0] for row in listing.splitlines() if row.endswith("bin/tool")] == [
        "100755"
    ]


def test_line_ends_stay_as_they_are(workspace: Workspace, repository: GitRepository) -> None:
    assert workspace.read("docs/a.txt") == b"a\r\nb"
    workspace.write(".gitattributes", b"* text=auto eol=crlf\n")
    workspace.write("docs/b.txt", b"a\r\nb\n")
    assert repository.read(workspace.tree(), "docs/b.txt") == b"a\r\nb\n"


def test_ignored_files_are_left_out_and_named(
    workspace: Workspace, repository: GitRepository
) -> None:
    for path in ("a.log", "build/x", "docs/n/b.tmp", "keep.log", "src/__pycache__/m.pyc"):
        workspace.write(path, b"x")
    workspace.write("tracked.log", b"new\n")
    assert workspace.read("a.log") == b"x"
    assert {"keep.log", "tracked.log"} <= set(workspace.files())
    left_out = ["a.log", "build/x", "docs/n/b.tmp", "src/__pycache__/m.pyc"]
    assert not set(left_out) & set(workspace.files())
    assert workspace.left_out() == left_out  # type: ignore[attr-defined]
    tree = workspace.tree()
    assert repository.read(tree, "tracked.log") == b"new\n"
    assert repository.read(tree, "keep.log") == b"x"
    assert repository.read(tree, "a.log") is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing", "does not exist"),
        ("missing/below", "does not exist"),
        ("src", "is a folder"),
        ("link", "symbolic link to 'README.md'"),
        ("outside", "symbolic link to '/etc/passwd'"),
        ("linked/main.py", "symbolic link"),
        ("../x", "plain path"),
        ("/etc/passwd", "plain path"),
        ("src//main.py", "plain path"),
        ("./README.md", "plain path"),
        (".git/config", "lies in .git"),
        ("a/.GIT/config", "lies in .git"),
        ("", "plain path"),
        ("a\0b", "plain path"),
    ],
)
def test_unreadable_paths_say_why(workspace: Workspace, path: str, said: str) -> None:
    with pytest.raises(WorkspaceError, match=said):
        workspace.read(path)


@pytest.mark.parametrize(
    "path",
    [
        "src",
        "link",
        "outside",
        "linked/new.py",
        "README.md/below",
        "../x",
        "/tmp/x",
        ".git/hooks/x",
    ],
)
def test_unwritable_paths_raise_and_leave_the_tree_alone(
    workspace: Workspace, repository: GitRepository, path: str
) -> None:
    with pytest.raises(WorkspaceError):
        workspace.write(path, b"x")
    assert workspace.tree() == repository.tree_of("HEAD")


def test_files_above_the_limit_are_refused(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="10001 bytes"):
        workspace.write("big", b"x" * 10_001)


def test_workspaces_do_not_see_each_other(
    opened: Callable[[str], Workspace], repository: GitRepository
) -> None:
    one, two = opened(repository.tree_of("HEAD")), opened(repository.tree_of("HEAD"))
    one.write("README.md", b"one\n")
    assert two.read("README.md") == b"hello\n"
    assert two.tree() == repository.tree_of("HEAD")


def test_the_users_work_tree_and_index_stay_untouched(
    workspace: Workspace, repository: GitRepository
) -> None:
    before = (repository.root / ".git" / "index").read_bytes()
    workspace.write("README.md", b"changed\n")
    workspace.tree()
    assert (repository.root / "README.md").read_bytes() == b"hello\n"
    assert (repository.root / ".git" / "index").read_bytes() == before
    assert not subprocess.run(
        ["git", "status", "--porcelain"], cwd=repository.root, capture_output=True, check=True
    ).stdout


def test_modes_of_old_trees_are_no_change(
    opened: Callable[[str], Workspace], repository: GitRepository
) -> None:
    head = repository.tree_of("HEAD")
    old = trees.Entry(0o100664, trees.entries(repository.objects, head)["README.md"].oid)
    tree = trees.edit(repository.objects, head, {"README.md": old})
    workspace = opened(tree)
    assert workspace.read("README.md") == b"hello\n"
    assert workspace.tree() == tree


def with_hidden(repository: GitRepository) -> str:
    return repository.replace(repository.tree_of("HEAD"), "hidden/key", b"for no agent\n")


def test_hidden_files_cannot_be_reached_and_stay(
    opened: Callable[[str], Workspace], repository: GitRepository
) -> None:
    tree = with_hidden(repository)
    workspace = opened(tree)
    assert workspace.files() == repository.files(repository.tree_of("HEAD"))
    for reach in (lambda: workspace.read("hidden/key"), lambda: workspace.write("hidden/key", b"")):
        with pytest.raises(WorkspaceError, match="context"):
            reach()
    assert workspace.tree() == tree
    workspace.write("README.md", b"changed\n")
    assert workspace.tree() == repository.replace(tree, "README.md", b"changed\n")


def test_a_command_finds_no_hidden_file_and_no_history_of_it(
    opened: Callable[[str], Workspace], repository: GitRepository
) -> None:
    tree = with_hidden(repository)
    workspace = opened(tree)
    if not workspace.has_shell:
        pytest.skip("no shell")
    blob = trees.flatten(repository.objects, tree)["hidden/key"].oid
    script = "cat hidden/key; git show HEAD:hidden/key; git log -p --all; git status --short"
    assert "for no agent" not in workspace.run(script, 20).output
    assert workspace.run(f"git cat-file -p {blob}", 20).exit_code != 0
    workspace.run("mkdir -p hidden; echo mine >hidden/key; rm README.md", 20)
    assert workspace.tree() == trees.edit(repository.objects, tree, {"README.md": None})


def test_a_command_ends_when_told_to_and_what_it_wrote_stays(
    workspace: Workspace, repository: GitRepository
) -> None:
    if not workspace.has_shell:
        pytest.skip("no shell")
    began = time.monotonic()
    result = workspace.run("echo half >half.txt; sleep 30", 30, lambda: True)
    assert (result.stopped, result.timed_out, result.exit_code) == (True, False, 130)
    assert time.monotonic() - began < 10
    assert repository.read(workspace.tree(), "half.txt") == b"half\n"


def test_what_the_stop_signal_raises_goes_through_and_nothing_runs_on(
    workspace: Workspace, tmp_path: Path
) -> None:
    if not workspace.has_shell:
        pytest.skip("no shell")

    def lost() -> bool:
        raise LeaseLost("somebody else has it")

    with pytest.raises(LeaseLost):
        workspace.run(f"sleep 1.5; touch {tmp_path}/late", 30, lost)
    time.sleep(1.5)
    assert not (tmp_path / "late").exists()


def test_one_place_for_checkouts_is_given_to_one_at_a_time(
    repository: GitRepository, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    sandbox = NoSandbox({"PATH": os.defpath, "HOME": str(tmp_path)})
    made = [GitWorkspaces(repository, tmp_path / "home", sandbox, at=place) for _ in range(2)]
    tree = repository.tree_of("HEAD")
    first = made[0].open(tree, shell=True, name="a")
    second = made[1].open(tree, shell=True, name="b")
    where = [w.run("pwd; touch left", 5).output.strip() for w in (first, second)]
    assert where[0] == str(place / "tree") != where[1]
    made[0].close()
    first.close()
    assert not place.exists()
    again = made[1].open(tree, shell=True, name="c")
    assert again.run("pwd; ls left", 5).output.splitlines()[0] == str(place / "tree")
    assert again.run("test -e left", 5).exit_code == 1
    for each in made:
        each.close()
    assert not place.exists()
