"""`.gitignore` is read as git reads it."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold.adapters.git.ignore import Ignores
from tests.fakes.repositories import git

if TYPE_CHECKING:
    from pathlib import Path

PATHS = [
    "a",
    "b.log",
    "d/a",
    "d/b.log",
    "d/e/a",
    "d/e/x y",
    "f-1/a.b",
    "#a",
    "!a",
    "d/[x]",
    "d/e/f/a",
    "d/e/d/e/b/a",
    "abab",
    "d/abba.log",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def ours(files: dict[str, bytes]) -> list[str]:
    ignores = Ignores(files.get, extra=())
    return [path for path in PATHS if ignores.ignored(path)]


def gits(root: Path, files: dict[str, bytes]) -> list[str]:
    for name in (".gitignore", "d/.gitignore"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(files.get(name, b""))
    command = ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-z"]
    done = subprocess.run(
        [*command, "--stdin"],
        cwd=root,
        input="\0".join(PATHS).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return [path for path in done.stdout.decode().split("\0") if path]


@pytest.mark.parametrize(
    "pattern",
    [
        *rb"""
        a  /a  a/  d/  *.log  d/*  d/**  **/a  d/**/a  **  /**  d**  **a  [ab]  [!a]  [^a]  ?
        \#a  #a  \!a  !a  a\  */a  */*/a  d/?/a  d/e/**  e/a  /e  [b-]*  [-b]*  [\b]*  ***/a  /
        [[:alpha:]]  [[:digit:]a]  f-[[:digit:]]/  []a]  [x  d/\[x\]  [[:nope:]]a  d/***  d[/]a
        //a  d?a  d/e**/a  d/e**  d/?**/a  [a-c].log
        """.split(),
        *(b"x\\ y", b"x y", b"a ", b"a\\ ", b"*.log\r\n", b"\xef\xbb\xbfa"),
        *(b"*\n!a", b"*\n!d/\n!d/a", b"d/*\n!d/a", b"d\n!d/a"),
    ],
)
def test_patterns_match_as_in_git(root: Path, pattern: bytes) -> None:
    files = {".gitignore": pattern}
    assert ours(files) == gits(root, files)


_PIECE = st.sampled_from(
    ["a", "b", "d", "e", "*", "*", "**", "**/", "?", "/", "/", "!", ".log", "[a-e]", "\\a", " "]
)
_FILE = (
    st.lists(st.lists(_PIECE, max_size=7).map("".join), max_size=4).map("\n".join).map(str.encode)
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(top=_FILE, below=_FILE)
def test_files_of_patterns_decide_as_in_git(root: Path, top: bytes, below: bytes) -> None:
    files = {".gitignore": top, "d/.gitignore": below}
    assert ours(files) == gits(root, files)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [(b"*a" * 30 + b"b", "a" * 250), (b"**/a/" * 30 + b"b", "a/" * 200 + "c")],
    ids=["stars", "folders"],
)
def test_a_pattern_made_to_be_slow_is_not(pattern: bytes, path: str) -> None:
    """Whoever writes the file would hold up all attempts of the process."""
    started = time.process_time()
    assert not Ignores({".gitignore": pattern}.get, extra=()).ignored(path)
    assert time.process_time() - started < 1


def test_common_caches_are_ignored_unless_a_project_says_otherwise() -> None:
    nothing: dict[str, bytes] = {}
    keep = {".gitignore": b"!node_modules/\n"}
    assert Ignores(nothing.get).ignored("pkg/__pycache__/m.cpython-311.pyc")
    assert not Ignores(keep.get).ignored("node_modules/a.js")
