"""The `.ai-workspace` folder of a repository, kept out of the user's commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.local.disk import translated
from fanfold.errors import InvalidRepository

if TYPE_CHECKING:
    from pathlib import Path

NAME = ".ai-workspace"
EXCLUDED = ("runs", "snapshots", "leases", "apply")


def prepare_workspace_dir(root: Path) -> Path:
    """The `.ai-workspace` of the work tree at `root`, made where it is missing.

    Its machine-made folders are added to the repository's `info/exclude`, so that no tracked file
    changes. The log `events/events.jsonl` is left to the user to commit or not.

    Raises:
        InvalidRepository: `root` is not the root of a git work tree.
        FanfoldError: the disk refuses.
    """
    git_dir = common_git_dir(root)
    folder = root / NAME
    with translated("make", folder):
        folder.mkdir(exist_ok=True)
    _exclude(git_dir / "info" / "exclude", [f"/{NAME}/{name}/" for name in EXCLUDED])
    return folder


def common_git_dir(root: Path) -> Path:
    """The git directory that all work trees of the repository share. Raises `InvalidRepository`."""
    dot_git = root / ".git"
    with translated("read", dot_git):
        git_dir = root / _pointer(dot_git) if dot_git.is_file() else dot_git
        if not git_dir.is_dir():
            raise InvalidRepository(f"{str(root)!r} is not the root of a git work tree")
        shared = git_dir / "commondir"
        return (git_dir / shared.read_text().strip()).resolve() if shared.is_file() else git_dir


def _pointer(dot_git: Path) -> str:
    keyword, _, target = dot_git.read_text().strip().partition(":")
    if keyword != "gitdir":
        raise InvalidRepository(f"{str(dot_git)!r} does not say `gitdir: …`")
    return target.strip()


def _exclude(file: Path, patterns: list[str]) -> None:
    with translated("write", file):
        content = file.read_bytes() if file.is_file() else b""
        known = {line.strip() for line in content.splitlines()}
        missing = [pattern.encode() for pattern in patterns if pattern.encode() not in known]
        if not missing:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        start = b"\n" if content and not content.endswith(b"\n") else b""
        with file.open("ab") as output:
            output.write(start + b"".join(line + b"\n" for line in missing))
