"""How long each control function takes to load, beside boto3 and what they use of Powertools.

A new execution environment loads its handler once; the rest of its start is not ours.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROUNDS = 7
LIMIT = 1.3
BASE = """
import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from aws_lambda_powertools.utilities.batch import BatchProcessor
"""
WORKERS = {"attempt"}


def handlers() -> list[str]:
    """The modules that have one."""
    files = sorted((ROOT / "functions").glob("*.py"))
    return [file.stem for file in files if "def handler(" in file.read_text("utf-8")]


def seconds(*programs: str) -> list[float]:
    """The shortest of several runs of each, in turns, without the interpreter's own start."""
    best = [float("inf")] * (len(programs) + 1)
    for _ in range(ROUNDS):
        for i, program in enumerate(("pass", *programs)):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
            best[i] = min(best[i], time.perf_counter() - began)
    return [one - best[0] for one in best[1:]]


def main() -> None:
    names = [name for name in handlers() if name not in WORKERS]
    base, *own = seconds(BASE, *(f"import functions.{name}" for name in names))
    print(f"{'base':12} {1000 * base:4.0f} ms")
    for name, one in zip(names, own, strict=True):
        print(f"{name:12} {1000 * one:4.0f} ms, {one / base:4.2f}×")
    slow = [name for name, one in zip(names, own, strict=True) if one > LIMIT * base]
    if slow:
        sys.exit(f"above {LIMIT}×: {', '.join(slow)}")


if __name__ == "__main__":
    main()
