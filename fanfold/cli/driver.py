"""The process behind `run --detach`: drives one run or batch to its end or its next gate."""

from __future__ import annotations

import sys
from pathlib import Path

from fanfold.bootstrap import open_project
from fanfold.cli.background import BATCH
from fanfold.cli.drive import drive, report
from fanfold.cli.main import guarded


def main(root: str, name: str, kind: str) -> int:
    project = open_project(Path(root))
    if kind == BATCH:
        from fanfold.cli.batch_drive import drive_batch, report_batch

        return report_batch(project, drive_batch(project, name), as_json=False)
    return report(drive(project, name), as_json=False)


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(*sys.argv[1:4])))
