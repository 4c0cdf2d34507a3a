"""Globs of write sets, and the paths and names that rules look at."""

from __future__ import annotations

import time

import pytest

from fanfold.patch.globs import literal_prefix, matches
from fanfold.patch.names import is_dotgit
from fanfold.patch.protected import protecting


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("src/a.py", "src/a.py", True),
        ("./src/a.py", "src/a.py", True),
        ("src/a.py", "src/a.pyc", False),
        ("src", "src/deep/a.py", True),
        ("src/", "src/deep/a.py", True),
        ("src", "srcs/a.py", False),
        ("*.py", "a.py", True),
        ("*.py", "src/a.py", False),
        ("src/*", "src/deep/a.py", False),
        ("src/*/", "src/deep/a.py", True),
        ("src/*", "src/a", True),
        ("src/*.py", "src/deep/a.py", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "src/deep/a.py", True),
        ("src/**", "src/deep/a.py", True),
        ("src/**", "src", False),
        ("src/**/test_*.py", "src/test_a.py", True),
        ("src/**/test_*.py", "src/x/y/test_a.py", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].py", "a.py", True),
        ("[!ab].py", "a.py", False),
        ("[", "[", True),
        ("a*b*c", "aXbXbXc", True),
        ("a*bc", "abcbc", True),
        ("*a*a", "aa", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        (".", "anything/at/all", True),
        ("", "a", False),
        ("é*", "école", True),
        ("**/**/a", "a", True),
        ("**/a/**/b", "x/a/a/y/b", True),
        ("**/a/*/**/b", "a/b", False),
        ("**/a/b*/**/c/**/d", "a/x/a/bb/c/c/d", True),
        ("x/**/a/**", "x/y/a", False),
        ("x/**/a/**", "x/y/a/z", True),
    ],
)
def test_a_glob_covers_what_it_says(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    "pattern", ["*a" * 400, "**/" * 4 + "x", "[a" * 300, "**/a" * 200, "**/a/" * 4 + "x"]
)
def test_no_glob_takes_long(pattern: str) -> None:
    begin = time.perf_counter()
    for path in ("a" * 4000, "a/" * 300 + "b"):
        matches(pattern, path)
    assert time.perf_counter() - begin < 1


def test_the_literal_prefix_ends_at_the_first_wildcard() -> None:
    assert literal_prefix("./.github/work*/x") == ".github/work"
    assert literal_prefix("a/b") == "a/b"


DOTGIT = (
    *(".git", ".GIT", ".Git ", ".git.", ".git . .", ".git::$DATA", ".git:x", "git~1", "GIT~12"),
    *(".g\u200cit", "\ufeff.git", ".gi\u200dT"),
)


@pytest.mark.parametrize("name", DOTGIT)
def test_a_name_that_some_file_system_takes_for_dotgit_is_known(name: str) -> None:
    assert is_dotgit(name)


@pytest.mark.parametrize("name", ["git", ".gitignore", ".github", "gitx", "x.git", "gil.py", "..."])
def test_other_names_are_not_dotgit(name: str) -> None:
    assert not is_dotgit(name)


@pytest.mark.parametrize(
    ("path", "anchor"),
    [
        (".github/workflows/ci.yml", ".github/workflows"),
        (".GitHub/Workflows/ci.yml", ".GitHub/Workflows"),
        ("sub/.gitattributes", "sub/.gitattributes"),
        (".gitlab-ci.yml", ".gitlab-ci.yml"),
        ("Jenkinsfile", "Jenkinsfile"),
        (".github/ISSUE_TEMPLATE.md", None),
        ("docs/.github/workflows/ci.yml", None),
        ("src/hooks/use.ts", None),
        (".gitignore", None),
    ],
)
def test_what_protects_a_path_is_told_as_the_path_spells_it(path: str, anchor: str | None) -> None:
    assert protecting(path) == anchor
