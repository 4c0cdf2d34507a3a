"""Runs that go on after the command has returned."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from fanfold.bootstrap import local_lease
from fanfold.errors import FanfoldError

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.bootstrap import Project

RUN, BATCH = "run", "batch"
FOLDERS = {RUN: "runs", BATCH: "batches"}
START_S = 30.0
LOOK_S = 0.02


def start_detached(project: Project, name: str, kind: str = RUN) -> Path:
    """Drive the run or batch in a process of its own session; gives the log of what it says.

    Returns once that process has taken it over.

    Raises:
        FanfoldError: it ended before that, or does not come up.
    """
    log = project.workspace_dir / FOLDERS[kind] / name / "driver.log"
    with log.open("ab") as sink:
        driver = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "fanfold.cli.driver", str(project.root), name, kind],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    _await_takeover(project, f"{kind}/{name}", driver, log)
    return log


def _await_takeover(
    project: Project, lease: str, driver: subprocess.Popen[bytes], log: Path
) -> None:
    leases, latest = local_lease(project), time.monotonic() + START_S
    while leases.holder(lease) is None:
        if driver.poll() in (2, 5) or time.monotonic() > latest:
            said = log.read_text("utf-8", "replace").splitlines() or ["it says nothing"]
            name = lease.replace("/", " ")
            raise FanfoldError(f"{name} did not start in the background: {said[-1]}")
        if driver.returncode is not None:
            return
        time.sleep(LOOK_S)
