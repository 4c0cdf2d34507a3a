"""How long each control function takes to load, beside boto3 and what they use of Powertools.

A new execution environment loads its handler once; the rest of its start is not ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
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
    """The least processor time of several runs of each, in turns, without the interpreter's own.

    Loading waits for little else, and what else runs on the machine does not change it much.
    """
    best = [float("inf")] * (len(programs) + 1)
    for _ in range(ROUNDS):
        for i, program in enumerate(("pass", *programs)):
            best[i] = min(best[i], _processor_time(program))
    return [one - best[0] for one in best[1:]]


def _processor_time(program: str) -> float:
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, program)
    return usage.ru_utime + usage.ru_stime


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
