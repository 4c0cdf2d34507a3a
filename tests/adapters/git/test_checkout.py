"""A checkout keeps its own counsel, whatever commands do inside it."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git import trees
from fanfold.adapters.git.checkout import Checkout
from fanfold.adapters.git.deferred import DeferredCheckouts
from fanfold.adapters.git.workspaces import GitWorkspaces, sweep
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.errors import SandboxUnavailable, WorkspaceError
from tests.fakes.repositories import git, make_repository, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository

FILES = {"a.txt": "a\n", "d/b.txt": "b\n", "run*": "#!/bin/sh\n", ".gitignore": "out/\n"}


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "repo", FILES)


@pytest.fixture
def workspaces(repository: GitRepository, tmp_path: Path) -> Iterator[GitWorkspaces]:
    sandbox = NoSandbox({"PATH": os.defpath, "HOME": str(tmp_path)})
    workspaces = GitWorkspaces(repository, tmp_path / "home", sandbox)
    yield workspaces
    workspaces.close()


@pytest.fixture
def checkout(workspaces: GitWorkspaces, repository: GitRepository) -> Checkout:
    opened = workspaces.open(repository.tree_of("HEAD"), shell=True, name="t")
    assert isinstance(opened, Checkout)
    return opened


def listed(repository: GitRepository, tree: str) -> dict[str, str]:
    """Modes by path, as git shows them."""
    rows = git(repository.root, "ls-tree", "-r", tree).decode().splitlines()
    return {row.split("\t")[1]: row.split()[0] for row in rows}


def test_commands_change_the_tree(checkout: Checkout, repository: GitRepository) -> None:
    checkout.run("echo new >n; rm d/b.txt; chmod +x a.txt; chmod -x run; ln -s a.txt l", 5)
    checkout.run("mkdir out empty; echo x >out/x", 5)
    assert listed(repository, checkout.tree()) == {
        ".gitignore": "100644",
        "a.txt": "100755",
        "l": "120000",
        "n": "100644",
        "run": "100644",
    }
    assert checkout.files() == [".gitignore", "a.txt", "l", "n", "run"]


def test_a_change_that_keeps_size_and_times_is_seen(
    checkout: Checkout, repository: GitRepository
) -> None:
    first = checkout.tree()
    checkout.run("touch -r a.txt ../stamp; printf 'z\\n' >a.txt; touch -r ../stamp a.txt", 5)
    assert checkout.tree() != first
    assert repository.read(checkout.tree(), "a.txt") == b"z\n"


def test_an_agents_own_git_has_no_say(checkout: Checkout, repository: GitRepository) -> None:
    checkout.run(
        "echo new >n && git add n && git commit -qm x && git update-index --assume-unchanged a.txt;"
        "echo changed >a.txt; echo '*' >.git/info/exclude; echo m >m;"
        "git config filter.evil.clean 'touch ../ran; cat';"
        "echo '* filter=evil text=auto' >.gitattributes;"
        "printf '#!/bin/sh\\ntouch ../ran' >.git/hooks/post-index-change; rm -rf .git/objects",
        5,
    )
    tree = checkout.tree()
    assert repository.read(tree, "n") == b"new\n"
    assert repository.read(tree, "a.txt") == b"changed\n"
    assert repository.read(tree, "m") == b"m\n"
    assert not (checkout.root.parent / "ran").exists()
    assert not any(path.startswith(".git/") for path in listed(repository, tree))


def test_nested_repositories_count_as_their_files(
    checkout: Checkout, repository: GitRepository
) -> None:
    checkout.run(
        "mkdir sub && cd sub && git init -q && echo x >x && git add x && git commit -qm x", 5
    )
    assert listed(repository, checkout.tree())["sub/x"] == "100644"


def test_sockets_and_pipes_are_left_out_and_hang_nothing(
    checkout: Checkout, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(checkout.root / "pipe")
    (checkout.root / ".gitignore").unlink()
    os.mkfifo(checkout.root / ".gitignore")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(checkout.root)
        server.bind("socket")
        assert checkout.files() == ["a.txt", "d/b.txt", "run"]
        assert "pipe" not in listed(repository, checkout.tree())
    with pytest.raises(WorkspaceError, match="no regular file"):
        checkout.read("pipe")
    with pytest.raises(WorkspaceError, match="no regular file"):
        checkout.write("pipe", b"x")


def test_links_that_commands_make_lead_nowhere(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine\n")
    checkout.run(
        f"ln -s {tmp_path} way; rm -rf d; ln -s {tmp_path} d; ln -s {tmp_path}/secret s", 5
    )
    for path in ("way/secret", "d/secret", "s"):
        with pytest.raises(WorkspaceError, match="symbolic link"):
            checkout.read(path)
        with pytest.raises(WorkspaceError, match="symbolic link"):
            checkout.write(path, b"x")
    assert (tmp_path / "secret").read_text() == "mine\n"
    assert "d" in checkout.files()


def test_writing_breaks_hard_links_and_keeps_modes(checkout: Checkout) -> None:
    checkout.run("ln a.txt twin", 5)
    checkout.write("a.txt", b"new\n")
    assert checkout.read("twin") == b"a\n"
    checkout.write("run", b"new\n")
    assert stat.S_IMODE((checkout.root / "run").stat().st_mode) & stat.S_IXUSR


def test_git_works_inside_and_knows_only_the_base(
    checkout: Checkout, repository: GitRepository
) -> None:
    hidden = str(repository.objects.create_blob(b"on another branch\n"))
    told = checkout.run("git status --short && git log --oneline && git show HEAD:a.txt", 5)
    assert told.exit_code == 0
    assert told.output.endswith("The base of this attempt\na\n")
    assert checkout.run(f"git cat-file -p {hidden}", 5).exit_code != 0
    assert checkout.run("git diff --stat", 5).output == ""
    assert (
        str(repository.root)
        not in checkout.run("grep -r repo .git/config .git/objects/info", 5).output
    )


def test_git_inside_shows_what_was_written_before_the_first_command(
    workspaces: GitWorkspaces, repository: GitRepository
) -> None:
    opened = DeferredCheckouts(workspaces).open(repository.tree_of("HEAD"), shell=True, name="t")
    opened.write("a.txt", b"new\n")
    assert opened.run("git status --short", 5).output == " M a.txt\n"


def test_later_trees_share_packs(workspaces: GitWorkspaces, repository: GitRepository) -> None:
    base, before = repository.tree_of("HEAD"), sorted(repository.object_folder.glob("pack/*"))
    for tree in (base, repository.replace(base, "a.txt", b"2\n"), base):
        opened = workspaces.open(tree, shell=True, name="t")
        assert opened.run("git fsck --full && git diff --exit-code HEAD", 5).exit_code == 0
    assert sorted(repository.object_folder.glob("pack/*")) == before


def test_bytes_are_checked_out_raw(repository: GitRepository, workspaces: GitWorkspaces) -> None:
    git(repository.root, "config", "core.autocrlf", "true")
    tree = repository.replace(repository.tree_of("HEAD"), ".gitattributes", b"* text eol=crlf\n")
    tree = repository.replace(tree, "utf16", "ü\n".encode("utf-16"))
    opened = workspaces.open(tree, shell=True, name="t")
    assert opened.read("a.txt") == b"a\n"
    assert opened.tree() == tree


def test_submodules_and_odd_names_stay(
    repository: GitRepository, workspaces: GitWorkspaces
) -> None:
    link = trees.Entry(trees.SUBMODULE, "1" * 40)
    odd = trees.Entry(trees.FILE, str(repository.objects.create_blob(b"odd\n")))
    changes = {"sub": link, 'o"d\n\tü/\udcff': odd}
    tree = trees.edit(repository.objects, repository.tree_of("HEAD"), changes)
    opened = workspaces.open(tree, shell=True, name="t")
    assert opened.tree() == tree
    assert "sub" not in opened.files()
    with pytest.raises(WorkspaceError):
        opened.write("sub", b"x")


def test_closing_removes_everything(
    workspaces: GitWorkspaces, checkout: Checkout, tmp_path: Path
) -> None:
    checkout.run("mkdir -p x/y && chmod 0 x/y && chmod 0 x", 5)
    checkout.close()
    assert not checkout.root.parent.exists()
    workspaces.close()
    assert list((tmp_path / "home").iterdir()) == []


def test_left_overs_of_dead_processes_are_swept(tmp_path: Path, workspaces: GitWorkspaces) -> None:
    home = tmp_path / "home"
    write_files(home, {"live-dead/t-1/tree/a.txt": "a\n", "other/a.txt": "a\n"})
    assert sweep(home) == 1
    assert [p.name for p in home.iterdir()] == ["other"]


def test_live_workspaces_are_not_swept(
    checkout: Checkout, tmp_path: Path, repository: GitRepository
) -> None:
    assert sweep(tmp_path / "home") == 0
    assert checkout.tree() == repository.tree_of("HEAD")


def test_a_shell_without_a_sandbox_is_refused(repository: GitRepository, tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="doctor"):
        GitWorkspaces(repository, tmp_path / "home").open("0" * 40, shell=True, name="t")
