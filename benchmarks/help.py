"""How long `fanfold --help` takes to start, against `python -c pass` in the same environment.

Exits 1 when the ratio of the medians is above the bound.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

BOUND = 5.0
ROUNDS = 15


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> int:
    python = [sys.executable, "-c", "pass"]
    fanfold = [str(Path(sys.executable).with_name("fanfold")), "--help"]
    pairs = [(seconds(python), seconds(fanfold)) for _ in range(ROUNDS + 1)][1:]
    bare, start = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"python -c pass {bare * 1000:.0f} ms, fanfold --help {start * 1000:.0f} ms")
    print(f"ratio {start / bare:.2f} (at most {BOUND:g})")
    return 0 if start / bare <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
