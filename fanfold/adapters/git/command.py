"""The git binary, for what must be done exactly as git does it in the user's own work tree."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from fanfold.errors import FanfoldError, InvalidRepository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")
_SETTINGS = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.splitIndex=false"),
)


class GitFailed(FanfoldError):
    """The git binary ended with an error; `stderr` is what it said."""

    def __init__(self, command: str, stderr: str) -> None:
        super().__init__(f"git {command} failed: {stderr.strip() or 'it gave no reason'}")
        self.stderr = stderr


def git(
    root: Path, *arguments: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None
) -> bytes:
    """Run git in `root` without hooks, prompts or optional locks; gives its stdout.

    Raises `GitFailed`, or `InvalidRepository` where there is no git.
    """
    command = ["env", *(f"-u{name}" for name in _FOREIGN), "GIT_OPTIONAL_LOCKS=0"]
    command += ["GIT_TERMINAL_PROMPT=0", "LC_ALL=C"]
    command += [f"{name}={value}" for name, value in (variables or {}).items()]
    command += ["git", "--literal-pathspecs", *_SETTINGS]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, *arguments], cwd=root, input=stdin, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise InvalidRepository(f"cannot run git in {str(root)!r}: {error.strerror}") from error
    if done.returncode == 127:
        raise InvalidRepository("git is not installed: install it, for example `apt install git`")
    if done.returncode:
        raise GitFailed(arguments[0], done.stderr.decode("utf-8", "replace"))
    return done.stdout
