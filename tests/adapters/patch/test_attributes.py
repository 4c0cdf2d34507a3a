"""Attributes are read as git reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.patch.attributes import Attributes, Driver
from fanfold.patch.objects import Objects
from fanfold.patch.trees import Tree
from tests.adapters.patch.repos import bare, run, write_tree

if TYPE_CHECKING:
    import pygit2

PATHS = (
    "a.txt",
    "b.py",
    "CHANGES",
    "docs/CHANGES",
    "docs/a.txt",
    "docs/deep/a.txt",
    "docs/deep/er/x.log",
    "src/a.txt",
    "src/[x].txt",
    "src/ab",
    "src/a-b.c",
    "deep/docs/a.txt",
)
PATTERNS = (
    "*.txt",
    "*",
    "CHANGES",
    "/CHANGES",
    "docs/*.txt",
    "docs/**",
    "docs/**/a.txt",
    "**/a.txt",
    "**/docs/a.txt",
    "/docs/deep/*",
    "docs/",
    "docs",
    "src/[ab]*",
    "src/[!a]*",
    "src/\\[x].txt",
    "src/??",
    "*.[ch]",
    "d*/a.txt",
    "a.tx",
    "src/a**b*",
    "**",
)


@pytest.fixture
def repo(tmp_path: Path) -> pygit2.Repository:
    return bare(tmp_path / "repo.git")


def attributes(repo: pygit2.Repository, **files: str) -> Attributes:
    """`root` is the file at the root, any other name that of a directory."""
    named = {
        ".gitattributes" if name == "root" else f"{name}/.gitattributes": text.encode()
        for name, text in files.items()
    }
    objects = Objects(repo)
    return Attributes(Tree(objects, write_tree(repo, named)), objects)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_matches_what_it_matches_in_git(repo: pygit2.Repository, pattern: str) -> None:
    ours = attributes(repo, root=f"{pattern} merge=union\n")
    run(repo, "config", "core.attributesFile", f"{repo.path}attributes")
    Path(repo.path, "attributes").write_text(f"{pattern} merge=union\n", encoding="utf-8")
    told = run(repo, "check-attr", "-z", "merge", "--", *PATHS).decode().split("\0")
    expected = {path: value == "union" for path, value in zip(told[::3], told[2::3], strict=False)}
    assert {path: ours.driver(path).union for path in PATHS} == {p: expected[p] for p in PATHS}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("merge=union", Driver(union=True)),
        ("binary", Driver(binary=True)),
        ("-merge", Driver(binary=True)),
        ("merge=binary", Driver(binary=True)),
        ("merge", Driver()),
        ("merge=unknown", Driver()),
        ("binary merge=union", Driver(union=True)),
        ("merge=union !merge", Driver()),
        ("text", Driver(text=True)),
        ("eol=crlf", Driver(text=True)),
        ("-text", Driver()),
        ("conflict-marker-size=12", Driver(marker_size=12)),
        ("conflict-marker-size=x", Driver()),
        ("conflict-marker-size=999999", Driver()),
    ],
)
def test_states_say_how_to_merge(repo: pygit2.Repository, states: str, expected: Driver) -> None:
    assert attributes(repo, root=f"# comment\n\nf {states}\n").driver("f") == expected


def test_the_nearer_file_and_the_later_line_win(repo: pygit2.Repository) -> None:
    ours = attributes(
        repo, root="* merge=union\na.txt -merge\n", docs="a.txt merge=union\nb.txt -merge\n"
    )
    assert ours.driver("a.txt") == Driver(binary=True)
    assert ours.driver("docs/a.txt") == Driver(union=True)
    assert ours.driver("docs/b.txt") == Driver(binary=True)
    assert ours.driver("src/b.txt") == Driver(union=True)
