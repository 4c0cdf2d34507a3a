"""A layer is shown to commands without a copy of it, and nothing they do changes it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git.checkout import Checkout
from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.prepare import Layers
from fanfold.adapters.local.sandbox import Bubblewrap, NoSandbox
from fanfold.errors import WorkspaceError
from tests.fakes.repositories import make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import Workspace

MAKE = (
    "mkdir -p web/node_modules/.bin out && cd web/node_modules &&"
    " for i in $(seq 300); do echo $i >f$i; done && ln -s ../f1 .bin/f && ln f2 hard &&"
    " cd ../../out && for i in $(seq 300); do echo $i >f$i; done"
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Bubblewrap:
    sandbox = Bubblewrap({"PATH": os.defpath, "HOME": str(tmp_path / "home")})
    if sandbox.available():
        pytest.skip("no bubblewrap here")
    if not sandbox.can_overlay(tmp_path):
        pytest.skip("no overlays for users of this kernel")
    return sandbox


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    files = {"web/a.txt": "a\n", "package-lock.json": "1\n", ".gitignore": "node_modules/\n"}
    return make_repository(tmp_path / "repo", files)


@pytest.fixture
def workspaces(
    sandbox: Bubblewrap, repository: GitRepository, tmp_path: Path
) -> Iterator[GitWorkspaces]:
    plain = GitWorkspaces(repository, tmp_path / "live", sandbox)

    layers = Layers(
        tmp_path / "layers",
        lambda tree: checkout(plain, tree),
        [MAKE],
        can_overlay=sandbox.can_overlay,
    )
    opened = GitWorkspaces(repository, tmp_path / "live", sandbox, furnish=layers.furnish)
    yield opened
    opened.close()
    plain.close()
    assert not list((tmp_path / "live").glob("live-*"))


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """Where the large folder of the one layer lies."""
    return tmp_path / "layers"


def checkout(workspaces: GitWorkspaces, tree: str) -> Checkout:
    opened = workspaces.open(tree, shell=True, name="prepare")
    assert isinstance(opened, Checkout)
    return opened


def opened(workspaces: GitWorkspaces, repository: GitRepository) -> Workspace:
    return workspaces.open(repository.tree_of("HEAD"), shell=True, name="t")


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(place.relative_to(folder)): (
            place.lstat().st_mode,
            place.lstat().st_ino,
            place.read_bytes() if place.is_file() else b"",
        )
        for place in sorted(folder.glob("*/folders/**/*"))
    }


def test_a_layer_is_seen_where_it_was_made(
    workspaces: GitWorkspaces, repository: GitRepository
) -> None:
    workspace = opened(workspaces, repository)
    told = workspace.run("pwd; cat web/node_modules/.bin/f; ls web/node_modules | wc -l", 20)
    assert told.output == "/workspace\n1\n301\n"
    assert isinstance(workspace, Checkout)
    assert list((workspace.root / "web" / "node_modules").iterdir()) == []
    assert "overlay" not in workspace.run("ls -A / /.fanfold/*", 20).output


def test_nothing_changes_a_layer(
    workspaces: GitWorkspaces, repository: GitRepository, layer: Path
) -> None:
    first, second = (opened(workspaces, repository) for _ in range(2))
    before = state(layer)
    assert len(before) > 300
    attack = (
        "cd web/node_modules; echo spoilt >f1; echo spoilt >>hard; rm f3; mv f4 g4; chmod 777 f5;"
        " ln f6 more; echo spoilt >>more; touch -d 2001-01-01 f7; truncate -s 0 f8;"
        " ln -sf /etc/passwd f9; rm -r .bin; mkdir .bin; chmod 0 .bin; setfattr -n user.x -v y f10;"
        " cat f1 hard"
    )
    assert first.run(f"({attack}) 2>/dev/null", 20).output == "spoilt\n2\nspoilt\n"
    assert state(layer) == before
    look = "cd web/node_modules; cat f1 f2 f3 f4 .bin/f; ls more g4 2>/dev/null"
    assert second.run(look, 20).output == "1\n2\n3\n4\n1\n"
    assert first.run("cat web/node_modules/f1", 20).output == "spoilt\n"


def test_what_is_done_to_a_layer_is_in_no_patch(
    workspaces: GitWorkspaces, repository: GitRepository
) -> None:
    workspace = opened(workspaces, repository)
    workspace.run(
        "echo x >web/node_modules/f1; echo x >web/node_modules/new; echo b >>web/a.txt", 9
    )
    changed = repository.replace(repository.tree_of("HEAD"), "web/a.txt", b"a\nb\n")
    assert workspace.tree() == changed
    workspace.run("echo x >out/mine", 9)
    assert repository.read(workspace.tree(), "out/mine") == b"x\n"


def test_the_harness_reads_and_writes_what_commands_see(
    workspaces: GitWorkspaces, repository: GitRepository
) -> None:
    workspace = opened(workspaces, repository)
    assert workspace.read("web/node_modules/f17") == b"17\n"
    workspace.write("web/node_modules/f17", b"\0patched\n")
    workspace.write("web/node_modules/d e/new", b"new\n")
    assert workspace.run("cat web/node_modules/f17 web/node_modules/d*/new", 9).output == (
        "\0patched\nnew\n"
    )
    assert workspace.read("web/node_modules/f17") == b"\0patched\n"
    with pytest.raises(WorkspaceError):
        workspace.read("web/node_modules/none")
    workspace.run("ln -sf ../../.git/config web/node_modules/f18", 9)
    with pytest.raises(WorkspaceError):
        workspace.read("web/node_modules/f18")


def test_a_link_in_place_of_the_folder_leads_no_overlay_outside(
    workspaces: GitWorkspaces, repository: GitRepository, tmp_path: Path
) -> None:
    workspace = opened(workspaces, repository)
    assert isinstance(workspace, Checkout)
    place = workspace.root / "web" / "node_modules"
    assert workspace.run("rmdir web/node_modules; mv web/node_modules x", 9).exit_code
    place.rmdir()
    place.symlink_to(tmp_path)
    told = opened(workspaces, repository).run("echo x >web/node_modules/f1; cat /etc/passwd", 9)
    assert "root" in told.output
    assert not (tmp_path / "f1").exists()


def test_where_there_are_no_overlays_the_layer_is_copied(
    workspaces: GitWorkspaces, repository: GitRepository, tmp_path: Path
) -> None:
    opened(workspaces, repository)
    plain = NoSandbox({"PATH": os.defpath, "HOME": str(tmp_path)})
    made = GitWorkspaces(repository, tmp_path / "live", plain)
    layers = Layers(tmp_path / "layers", lambda tree: checkout(made, tree), [MAKE])
    copied = GitWorkspaces(repository, tmp_path / "live", plain, furnish=layers.furnish)
    workspace = opened(copied, repository)
    assert workspace.run("cat web/node_modules/.bin/f", 9).output == "1\n"
    assert workspace.run("ls web/node_modules | wc -l", 9).output == "301\n"
    copied.close()
    made.close()
