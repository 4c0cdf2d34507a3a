"""Builds bare repositories and patches for the tests of the merge engine."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

import pygit2

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NULL = "0" * 40
AUTHOR = ("-c", "user.name=T", "-c", "user.email=t@example.com")
FILE, EXECUTABLE, LINK, GITLINK = 0o100644, 0o100755, 0o120000, 0o160000
Content = bytes | tuple[int, bytes]


def bare(path: Path) -> pygit2.Repository:
    return pygit2.init_repository(str(path), bare=True)


def write_tree(repo: pygit2.Repository, files: Mapping[str, Content]) -> str:
    """A tree of files; a value is bytes, or (mode, bytes), for a gitlink its commit id in hex."""
    index = pygit2.Index()
    for path, content in files.items():
        mode, data = content if isinstance(content, tuple) else (FILE, content)
        oid = pygit2.Oid(hex=data.decode()) if mode == GITLINK else repo.create_blob(data)
        index.add(pygit2.IndexEntry(path, oid, pygit2.enums.FileMode(mode)))
    return str(index.write_tree(repo))


def read_tree(repo: pygit2.Repository, oid: str) -> dict[str, Content]:
    """The opposite of `write_tree`."""
    out = run(repo, "ls-tree", "-r", "-z", oid).split(b"\0")
    files: dict[str, Content] = {}
    for line in filter(None, out):
        head, _, path = line.partition(b"\t")
        mode, _, blob = head.decode().split()
        data = b"" if mode == "160000" else repo.odb.read(blob)[1]
        files[path.decode()] = data if mode == "100644" else (int(mode, 8), data)
    return files


def git_diff(repo: pygit2.Repository, old: str, new: str, *options: str) -> bytes:
    chosen = options or ("--no-renames",)
    return run(repo, "diff", "--binary", "--full-index", *chosen, old, new)


def run(repo: pygit2.Repository, *args: str, data: bytes | None = None) -> bytes:
    done = subprocess.run(
        ["git", "-C", repo.path, *AUTHOR, *args], input=data, capture_output=True, check=False
    )
    if done.returncode not in (0, 1):
        raise AssertionError(done.stderr.decode())
    return done.stdout


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def new_file(path: str, data: bytes, mode: str = "100644") -> bytes:
    """A patch that creates a text file; `path` goes in as it is, quoted or not."""
    a, b = (f'"{side}/{path[1:]}' if path.startswith('"') else f"{side}/{path}" for side in "ab")
    lines = data.split(b"\n")
    body = b"".join(b"+" + line + b"\n" for line in lines[:-1])
    if lines[-1]:
        body += b"+" + lines[-1] + b"\n\\ No newline at end of file\n"
    count = len(lines) - (not lines[-1])
    head = f"diff --git {a} {b}\nnew file mode {mode}\nindex {NULL}..{blob_id(data)}\n"
    marks = f"--- /dev/null\n+++ {b}\n@@ -0,0 +1,{count} @@\n"
    return (head + marks).encode() + body if data else head.encode()


def changed_file(path: str, old: bytes, new: bytes, hunk: str, *, new_oid: str = "") -> bytes:
    """A patch that changes a file by `hunk`, header line included."""
    return (
        f"diff --git a/{path} b/{path}\nindex {blob_id(old)}..{new_oid or blob_id(new)} 100644\n"
        f"--- a/{path}\n+++ b/{path}\n{hunk}"
    ).encode()
