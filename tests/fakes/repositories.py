"""Small repositories for tests, made with git itself."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from fanfold.adapters.git.repository import GitRepository, open_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "C",
    "GIT_COMMITTER_EMAIL": "c@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(root: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git as the user would; raises `CalledProcessError`."""
    environment = {"PATH": os.defpath, "HOME": str(root), **_IDENTITY}
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(
        command, cwd=root, input=stdin, capture_output=True, check=True, env=environment
    )
    return done.stdout


def write_files(root: Path, files: Mapping[str, bytes | str]) -> None:
    """Write files; a name ending in `*` is executable, one ending in `@` a link to its content."""
    for name, content in files.items():
        path = root / name.rstrip("*@")
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        if name.endswith("@"):
            path.symlink_to(os.fsdecode(data))
            continue
        path.write_bytes(data)
        if name.endswith("*"):
            path.chmod(0o755)


def make_repository(root: Path, files: Mapping[str, bytes | str]) -> GitRepository:
    """A repository at `root` with one commit of `files` on branch main."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q")
    write_files(root, files)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return open_repository(root)
