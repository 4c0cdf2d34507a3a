"""Opening repositories, what HEAD says of them, and snapshots of uncommitted work."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git.repository import GitRepository, open_repository
from fanfold.errors import InvalidRepository
from tests.fakes.repositories import git, make_repository, write_files

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"a.txt": "a\n", "src/b.txt": "b\n", "gone.txt": "gone\n", ".gitignore": "*.log\n"}


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "repo", FILES)


def listed(repository: GitRepository, tree: str) -> dict[str, bytes]:
    return {path: repository.read(tree, path) or b"" for path in repository.files(tree)}


def test_a_repository_opens_from_any_folder_in_it(repository: GitRepository) -> None:
    opened = open_repository(repository.root / "src")
    assert opened.root.resolve() == repository.root.resolve()
    assert opened.tree_of("HEAD") == repository.tree_of("main")


def test_a_linked_work_tree_opens(repository: GitRepository, tmp_path: Path) -> None:
    git(repository.root, "worktree", "add", "-qb", "side", str(tmp_path / "side"))
    side = open_repository(tmp_path / "side")
    assert side.head().branch == "side"
    assert side.root.resolve() == (tmp_path / "side").resolve()
    assert side.object_folder.resolve() == repository.object_folder.resolve()


def no_repository(root: Path) -> None:
    root.mkdir()


def no_commit(root: Path) -> None:
    root.mkdir()
    git(root, "init", "-q")


def bare(root: Path) -> None:
    make_repository(root.with_name("source"), FILES)
    git(root.parent, "clone", "-q", "--bare", "source", root.name)


def partial(root: Path) -> None:
    source = make_repository(root.with_name("source"), FILES)
    git(source.root, "config", "uploadpack.allowFilter", "true")
    url = f"file://{source.root}"
    git(root.parent, "clone", "-q", "--filter=blob:none", "--no-checkout", url, root.name)


def missing(root: Path) -> None:
    assert not root.exists()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (no_repository, "`git init`"),
        (no_commit, "no commit yet.*`git add -A && git commit`"),
        (bare, "bare repository"),
        (missing, "no directory"),
        (partial, "partial clone"),
    ],
)
def test_what_cannot_be_used_says_why_and_the_mend(tmp_path: Path, make: object, said: str) -> None:
    assert callable(make)
    make(tmp_path / "repo")
    with pytest.raises(InvalidRepository, match=said) as raised:
        open_repository(tmp_path / "repo")
    assert "\n" not in str(raised.value)


def test_a_bare_repository_opens_where_that_is_enough(tmp_path: Path) -> None:
    bare(tmp_path / "repo")
    opened = open_repository(tmp_path / "repo", bare=True)
    assert opened.read(opened.tree_of("HEAD"), "a.txt") == b"a\n"
    assert not opened.head().dirty


def test_unknown_revisions_are_named(repository: GitRepository) -> None:
    for revision in ("nope", "HEAD~9", "1" * 40, "HEAD:a.txt", "", ":/nothing"):
        with pytest.raises(InvalidRepository, match="names no commit"):
            repository.commit_of(revision)


def test_head_counts_what_it_does_not_hold(repository: GitRepository) -> None:
    assert not repository.head().dirty
    write_files(
        repository.root,
        {"a.txt": "staged\n", "n 1.txt": "", "d/ü.txt": "", "x.log": "", "src/b.txt": "changed\n"},
    )
    git(repository.root, "add", "a.txt")
    write_files(repository.root, {"a.txt": "and more\n", ".ai-workspace/runs/x": ""})
    head = repository.head()
    assert (head.branch, head.commit) == ("main", repository.commit_of("HEAD"))
    assert (head.staged, head.modified, head.untracked) == (1, 2, 2)
    assert head.operation is None


def test_head_tells_a_detached_and_a_shallow_one(repository: GitRepository, tmp_path: Path) -> None:
    git(repository.root, "checkout", "-q", "--detach")
    assert repository.head().branch is None
    git(repository.root, "commit", "-qm", "two", "--allow-empty")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository.root}", "shallow")
    assert open_repository(tmp_path / "shallow").head().shallow


def test_head_tells_a_merge_in_progress(repository: GitRepository) -> None:
    git(repository.root, "checkout", "-qb", "other")
    write_files(repository.root, {"a.txt": "other\n"})
    git(repository.root, "commit", "-qam", "other")
    git(repository.root, "checkout", "-q", "main")
    write_files(repository.root, {"a.txt": "main\n"})
    git(repository.root, "commit", "-qam", "main")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository.root, "merge", "other")
    head = repository.head()
    assert (head.operation, head.unmerged) == ("merge", 1)
    with pytest.raises(InvalidRepository, match=r"unmerged paths \['a.txt'\]"):
        repository.dirty_tree()


def test_head_names_submodules_and_lfs(repository: GitRepository) -> None:
    write_files(
        repository.root,
        {
            ".gitmodules": '[submodule "s"]\n\tpath = lib/s\n\turl = ../s\n',
            ".gitattributes": "*.psd filter=lfs diff=lfs merge=lfs -text\n",
        },
    )
    git(repository.root, "add", "-A")
    row = f"160000,{repository.commit_of('HEAD')},lib/s"
    git(repository.root, "update-index", "--add", "--cacheinfo", row)
    git(repository.root, "commit", "-qm", "modules")
    assert repository.head().submodules == ("lib/s",)
    assert repository.head().lfs


def test_a_snapshot_holds_all_uncommitted_work(repository: GitRepository) -> None:
    root = repository.root
    files: dict[str, bytes | str] = {
        "a.txt": "changed\n",
        "new/ü x.txt": b"\xff\n",
        "tool*": "#!/bin/sh\n",
        "link@": "a.txt",
        "x.log": "ignored\n",
        ".ai-workspace/events/events.jsonl": "{}\n",
        "staged.txt": "staged\n",
    }
    write_files(root, files)
    git(root, "add", "staged.txt")
    (root / "gone.txt").unlink()
    git(root, "init", "-q", "nested")
    write_files(root, {"nested/x": "x\n"})
    before = (root / ".git" / "index").read_bytes()
    tree = repository.dirty_tree()
    assert (root / ".git" / "index").read_bytes() == before
    assert listed(repository, tree) == {
        ".gitignore": b"*.log\n",
        "a.txt": b"changed\n",
        "link": b"a.txt",
        "new/ü x.txt": b"\xff\n",
        "src/b.txt": b"b\n",
        "staged.txt": b"staged\n",
        "tool": b"#!/bin/sh\n",
    }
    assert git(root, "ls-tree", tree, "tool").startswith(b"100755")


def test_a_snapshot_of_nothing_new_is_heads_tree(repository: GitRepository) -> None:
    assert repository.dirty_tree() == repository.tree_of("HEAD")


def test_a_snapshot_applies_clean_filters(repository: GitRepository) -> None:
    write_files(repository.root, {".gitattributes": "*.txt text eol=crlf\n", "n.txt": "n\r\n"})
    assert repository.read(repository.dirty_tree(), "n.txt") == b"n\n"


def test_a_filter_that_is_missing_is_told(repository: GitRepository) -> None:
    git(repository.root, "config", "filter.lfs.clean", "git-lfs-that-is-not-there clean")
    git(repository.root, "config", "filter.lfs.required", "true")
    write_files(repository.root, {".gitattributes": "*.psd filter=lfs\n", "n.psd": "n\n"})
    with pytest.raises(InvalidRepository, match=r"cannot snapshot the work tree.*lfs") as raised:
        repository.dirty_tree()
    assert "\n" not in str(raised.value)
