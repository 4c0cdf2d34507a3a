"""Prepared outputs are made once and copied into every checkout."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git.checkout import Checkout
from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.checks import TreeChecks
from fanfold.adapters.local.prepare import MAKING, Layers, clean_layers
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.errors import PrepareFailed
from tests.fakes.repositories import make_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository

    Prepared = Callable[..., GitWorkspaces]

COMMANDS = (
    "echo run >>../../../../count",
    "mkdir -p node_modules/.bin src/gen 'od[d] *' && cat package-lock.json >node_modules/dep",
    "ln -s ../dep node_modules/.bin/dep; echo g >src/gen/g.py; echo x >'od[d] */x'; echo no >a.txt",
)


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    files = {"a.txt": "a\n", "src/m.py": "m\n", "package-lock.json": "1\n", ".gitignore": "dist/\n"}
    return make_repository(tmp_path / "repo", files)


@pytest.fixture
def prepared(repository: GitRepository, tmp_path: Path) -> Prepared:
    sandbox = NoSandbox({"PATH": os.defpath, "HOME": str(tmp_path)})

    def make(commands: tuple[str, ...] = COMMANDS) -> GitWorkspaces:
        plain = GitWorkspaces(repository, tmp_path / "home", sandbox)

        def open_checkout(tree: str) -> Checkout:
            opened = plain.open(tree, shell=True, name="prepare")
            assert isinstance(opened, Checkout)
            return opened

        layers = Layers(tmp_path / "layers", open_checkout, commands)
        return GitWorkspaces(repository, tmp_path / "home", sandbox, furnish=layers.furnish)

    return make


def count(tmp_path: Path) -> int:
    return len((tmp_path / "count").read_text().splitlines())


def test_checkouts_hold_the_outputs_and_their_trees_do_not(
    prepared: Prepared, repository: GitRepository
) -> None:
    tree = repository.tree_of("HEAD")
    workspace = prepared().open(tree, shell=True, name="t")
    told = workspace.run("cat node_modules/.bin/dep src/gen/g.py a.txt; cat od*/x", 5)
    assert told.output == "1\ng\na\nx\n"
    assert workspace.tree() == tree
    assert workspace.files() == repository.files(tree)


def test_new_files_beside_the_outputs_are_in_the_tree(
    prepared: Prepared, repository: GitRepository
) -> None:
    workspace = prepared().open(repository.tree_of("HEAD"), shell=True, name="t")
    workspace.write("src/gen/mine.py", b"mine\n")
    assert repository.read(workspace.tree(), "src/gen/mine.py") == b"mine\n"


def test_what_is_built_later_in_a_folder_for_it_is_not(
    prepared: Prepared, repository: GitRepository
) -> None:
    tree = repository.tree_of("HEAD")
    workspaces = prepared(("mkdir -p sub/target && echo 1 >sub/target/a",))
    workspace = workspaces.open(tree, shell=True, name="t")
    workspace.run("mkdir sub/target/debug; echo 2 >sub/target/debug/b; echo 3 >sub/c", 5)
    assert set(repository.files(workspace.tree())) - set(repository.files(tree)) == {"sub/c"}


def test_a_layer_is_made_once_for_a_lockfile(
    prepared: Prepared, repository: GitRepository, tmp_path: Path
) -> None:
    tree = repository.tree_of("HEAD")
    for _ in range(2):
        workspaces = prepared()
        workspaces.open(tree, shell=True, name="t")
        workspaces.open(repository.replace(tree, "a.txt", b"b\n"), shell=True, name="t")
    assert count(tmp_path) == 1
    changed = repository.replace(tree, "package-lock.json", b"2\n")
    opened = prepared().open(changed, shell=True, name="t")
    assert opened.run("cat node_modules/dep", 5).output == "2\n"
    assert count(tmp_path) == 2


def test_a_layer_is_not_changed_through_its_copies(
    prepared: Prepared, repository: GitRepository
) -> None:
    workspaces, tree = prepared(), repository.tree_of("HEAD")
    workspaces.open(tree, shell=True, name="t").run("echo spoilt >node_modules/dep", 5)
    assert workspaces.open(tree, shell=True, name="t").read("node_modules/dep") == b"1\n"


def test_a_failing_command_is_told_and_leaves_no_layer(
    prepared: Prepared, repository: GitRepository, tmp_path: Path
) -> None:
    workspaces = prepared(("echo why; exit 3",))
    with pytest.raises(PrepareFailed, match="ended with 3: why"):
        workspaces.open(repository.tree_of("HEAD"), shell=True, name="t")
    assert not [p for p in (tmp_path / "layers").iterdir() if p.is_dir()]


def test_checks_are_red_on_a_tree_that_cannot_be_prepared(
    prepared: Prepared, repository: GitRepository
) -> None:
    checks = TreeChecks(prepared(("echo why; exit 3",)))
    one, two = checks.run(repository.tree_of("HEAD"), [("true", 5), ("true", 5)])
    assert (one.exit_code, two.exit_code) == (3, 3)
    assert "why" in one.output


def test_layers_that_are_wanted_at_once_are_made_once(
    prepared: Prepared, repository: GitRepository, tmp_path: Path
) -> None:
    tree = repository.tree_of("HEAD")
    several: list[GitWorkspaces] = [prepared(("sleep 0.3", *COMMANDS)) for _ in range(3)]

    def dep_of(workspaces: GitWorkspaces) -> bytes:
        return workspaces.open(tree, shell=True, name="t").read("node_modules/dep")

    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(dep_of, several * 2))
    assert found == {b"1\n"}
    assert count(tmp_path) == 1


def test_what_an_interrupted_prepare_left_is_not_taken_for_a_layer(
    prepared: Prepared, repository: GitRepository, tmp_path: Path
) -> None:
    tree, layers = repository.tree_of("HEAD"), tmp_path / "layers"
    prepared().open(tree, shell=True, name="t")
    (layer,) = (p for p in layers.iterdir() if p.is_dir())
    half = layers / f"{MAKING}{layer.name}-x"
    layer.rename(half)
    (half / "files" / "node_modules" / "dep").write_text("half\n")
    assert prepared().open(tree, shell=True, name="t").read("node_modules/dep") == b"1\n"
    assert not half.exists()


def test_layers_that_nothing_uses_are_cleaned_away(
    prepared: Prepared, repository: GitRepository, tmp_path: Path
) -> None:
    tree, layers = repository.tree_of("HEAD"), tmp_path / "layers"
    workspaces = prepared()
    workspaces.open(tree, shell=True, name="t")
    assert clean_layers(layers, 60) == 0
    (layer,) = (p for p in layers.iterdir() if p.is_dir())
    os.utime(layer, (0, 0))
    with layer.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert clean_layers(layers, 60) == 0
    assert clean_layers(layers, 60) == 1
    assert clean_layers(tmp_path / "none", 60) == 0
    again = workspaces.open(tree, shell=True, name="t")
    assert again.read("node_modules/dep") == b"1\n"
    assert count(tmp_path) == 2


def test_package_caches_are_kept_below_the_tree_and_out_of_it(
    prepared: Prepared, repository: GitRepository
) -> None:
    tree = repository.tree_of("HEAD")
    fetch = 'mkdir -p "$CARGO_HOME" "$GOMODCACHE" && echo crate >"$CARGO_HOME/a"'
    workspace = prepared((fetch,)).open(tree, shell=True, name="t")
    more = 'echo more >"$GOMODCACHE/b"; mkdir "$GOCACHE"; echo $MAVEN_ARGS'
    told = workspace.run(f'cat "$CARGO_HOME/a"; {more}', 5)
    assert told.output.startswith("crate\n-Dmaven.repo.local=/")
    assert workspace.tree() == tree


def test_what_is_prepared_stands_first_on_the_path(
    prepared: Prepared, repository: GitRepository
) -> None:
    write = "printf '#!/bin/sh\\necho mine\\n' >.venv/bin/ls && chmod +x .venv/bin/ls"
    make = f"mkdir -p .venv/bin && {write}"
    workspace = prepared((make,)).open(repository.tree_of("HEAD"), shell=True, name="t")
    assert workspace.run("ls", 5).output == "mine\n"


def test_without_commands_nothing_is_copied(
    prepared: Prepared, repository: GitRepository, tmp_path: Path
) -> None:
    workspace = prepared(()).open(repository.tree_of("HEAD"), shell=True, name="t")
    assert workspace.tree() == repository.tree_of("HEAD")
    assert not (tmp_path / "layers").exists()
