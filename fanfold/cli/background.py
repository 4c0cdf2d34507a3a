"""Runs that go on after the command has returned."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from fanfold.cli.engines import LOCAL, engine_of
from fanfold.errors import FanfoldError

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.bootstrap import Project

START_S = 30.0
LOOK_S = 0.02


def start_detached(project: Project, run_id: str) -> Path:
    """Drive the run in a process of its own session; gives the log of what it says.

    Returns once that process has taken the run over.

    Raises:
        FanfoldError: it ended before that, or does not come up.
    """
    log = project.workspace_dir / "runs" / run_id / "driver.log"
    with log.open("ab") as sink:
        driver = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "fanfold.cli.driver", str(project.root), run_id],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    _await_takeover(project, run_id, driver, log)
    return log


def _await_takeover(
    project: Project, run_id: str, driver: subprocess.Popen[bytes], log: Path
) -> None:
    engine, latest = engine_of(project, LOCAL), time.monotonic() + START_S
    while not engine.is_driven(run_id):
        if driver.poll() in (2, 5) or time.monotonic() > latest:
            said = log.read_text("utf-8", "replace").splitlines() or ["it says nothing"]
            raise FanfoldError(f"run {run_id} did not start in the background: {said[-1]}")
        if driver.returncode is not None:
            return
        time.sleep(LOOK_S)
