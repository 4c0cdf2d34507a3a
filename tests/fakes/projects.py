"""Small repositories to run plans in, and runs of the command line in this process."""

from __future__ import annotations

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fanfold.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLAN = "conductor/tracks/one/plan.md"
WHO = ("-c", "user.name=Test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")


class Ended(NamedTuple):
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)


def git(root: Path, *words: str, data: bytes | None = None) -> str:
    """Run git in `root` and give what it says."""
    done = subprocess.run(
        ("git", *WHO, *words), cwd=root, check=True, capture_output=True, input=data
    )
    return done.stdout.decode("utf-8", "replace").strip()


def make_repository(root: Path, files: Mapping[str, str]) -> Path:
    """A repository at `root` with one commit of `files`."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "base")
    return root


def fanfold(root: Path, *words: str) -> Ended:
    """Run the command line in this process, at `root`."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(["-C", str(root), *words])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())
