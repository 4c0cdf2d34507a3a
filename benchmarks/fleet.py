"""A repository, a plan of independent tasks and a scripted model, for the benchmarks here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FANFOLD = str(Path(sys.executable).with_name("fanfold"))
IDENTITY = ["-c", "user.name=Bench", "-c", "user.email=bench@example.invalid"]
FILES = 200


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=repository, check=True, capture_output=True, text=True
    )
    return done.stdout


def make_repository(folder: Path, tasks: int) -> Path:
    """A repository of `FILES` files with a committed plan whose `tasks` tasks run side by side."""
    for number in range(FILES):
        file = folder / "src" / f"module_{number % 10}" / f"file_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"VALUE = {number}\n" * 50)
    plan = folder / "conductor" / "tracks" / "bench" / "plan.md"
    plan.parent.mkdir(parents=True)
    lines = [f"- [ ] Task: Write part {number}" for number in range(tasks)]
    head = "# Plan: Bench\n\n## Phase 1: Parts\n<!-- execution: parallel -->\n"
    plan.write_text(head + "\n".join(lines) + "\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Bench")
    git(folder, "config", "user.email", "bench@example.invalid")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Base")
    return folder


def content(number: int) -> str:
    return f"PART = {number}\n" * 20


def write_script(file: Path, tasks: int, delay_s: float = 0.0) -> Path:
    """What the scripted model answers: each task writes one file, then submits."""
    attempts = [
        {
            "task": f"Write part {number}",
            "turns": [
                {
                    "delay_s": delay_s,
                    "calls": [
                        {
                            "name": "write",
                            "input": {
                                "file_path": f"parts/{number}.py",
                                "content": content(number),
                            },
                        }
                    ],
                },
                {"calls": [{"name": "submit", "input": {"status": "done", "summary": "Written."}}]},
            ],
        }
        for number in range(tasks)
    ]
    file.write_text(json.dumps({"attempts": attempts}))
    return file


def run_command(script: Path, *, concurrency: int) -> list[str]:
    """The command line of a run that the script plays; it takes nothing else from outside."""
    return [
        *("env", f"FANFOLD_MODEL_SCRIPT={script}"),
        *(FANFOLD, "run", "--budget", "1000", "--unit", "task", "--yes", "--json"),
        *("--no-sandbox", "--concurrency", str(concurrency)),
    ]


def merged(output: str) -> int:
    """How many tasks `run --json` says were merged."""
    return sum(task["state"] == "merged" for task in json.loads(output)["tasks"])
