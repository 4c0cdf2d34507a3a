"""Runs that go on after the command has returned."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def start_detached(root: Path, run_id: str) -> Path:
    """Drive the run in a process of its own session; gives the log of what it says."""
    log = root / ".ai-workspace" / "runs" / run_id / "driver.log"
    with log.open("ab") as sink:
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "fanfold.cli.driver", str(root), run_id],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    return log
