"""The content of a diff outlives the objects it was read from."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pygit2

from fanfold.adapters.git.diff import diff_trees

if TYPE_CHECKING:
    from pathlib import Path


def test_many_added_files_keep_their_content(tmp_path: Path) -> None:
    repo = pygit2.init_repository(str(tmp_path), bare=True)
    empty = str(repo.TreeBuilder().write())
    builder = repo.TreeBuilder()
    for number in range(200):
        content = f"first {number}\nsecond {number}\n".encode()
        builder.insert(f"f{number:03}", repo.create_blob(content), 0o100644)
    tree = str(builder.write())
    gc.collect()
    patch = diff_trees(repo, empty, tree)
    for number in range(200):
        assert b"\n+first %d\n+second %d\n" % (number, number) in patch
