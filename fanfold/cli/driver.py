"""The process behind `run --detach`: drives one run to its end or its next gate."""

from __future__ import annotations

import sys
from pathlib import Path

from fanfold.bootstrap import open_project
from fanfold.cli.drive import drive, report
from fanfold.cli.main import guarded


def main(root: str, run_id: str) -> int:
    return report(drive(open_project(Path(root)), run_id), as_json=False)


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1], sys.argv[2])))
