"""A track with work side by side, a gate and a last task, and scripts that play its agents."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap import open_project
from tests.fakes.projects import PLAN, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

TRACK = """\
# Letters

## Phase 1: Greek
<!-- execution: parallel -->

- [ ] Task: Write alpha
- [ ] Task: Write beta
- [ ] Task: Conductor - User Manual Verification 'Greek' (Protocol in workflow.md)

## Phase 2: Hebrew

- [ ] Task: Write gimel
"""
OPEN_TRACK = """\
# Letters

## Phase 1: Greek
<!-- execution: parallel -->

- [ ] Task: Write alpha
- [ ] Task: Write beta

## Phase 2: Hebrew

- [ ] Task: Write gimel
"""
WORDS = ("alpha", "beta", "gimel")
PROGRAM = "import sys; from fanfold.cli.main import main; sys.exit(main())"


def letters(*slow: str, delay_s: float = 30.0) -> list[dict[str, Any]]:
    """Parts that write `alpha.txt` and so on; the `slow` ones think long after having written."""
    return [_part(word, delay_s if word in slow else 0.0) for word in WORDS]


def clashing() -> list[dict[str, Any]]:
    """Parts in which alpha and beta write the same file, and nobody brings them together."""
    same = [
        {"task": f"Write {word}", "files": {"same.txt": f"{word}\n"}, "submit": "Wrote."}
        for word in WORDS[:2]
    ]
    blocked = {"name": "submit", "input": {"status": "blocked", "summary": "No idea."}}
    lost = {"task": "Write beta", "purpose": "resolve", "turns": [{"calls": [blocked]}]}
    return [lost, *same, *letters()]


def _part(word: str, delay_s: float) -> dict[str, Any]:
    wrote = {"name": "write", "input": {"file_path": f"{word}.txt", "content": f"{word}\n"}}
    done = {"name": "submit", "input": {"status": "done", "summary": f"Wrote {word}."}}
    turns: list[dict[str, Any]] = [{"calls": [wrote]}, {"calls": [done], "delay_s": delay_s}]
    return {"task": f"Write {word}", "turns": turns}


def play(monkeypatch: pytest.MonkeyPatch, folder: Path, *parts: Mapping[str, Any]) -> None:
    """Let these parts of a script play the agents from now on."""
    file = folder / "script.json"
    file.write_bytes(msgspec.json.encode({"attempts": parts}))
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(file))


def letters_repository(root: Path, plan: str = TRACK) -> Path:
    """A repository with the track and a user, for commands that commit."""
    make_repository(root, {PLAN: plan, "README.md": "Letters\n"})
    git(root, "config", "user.name", "Test")
    git(root, "config", "user.email", "test@localhost")
    return root


def command(root: Path, *words: str) -> tuple[str, ...]:
    """What starts the command line in a process of its own."""
    return (sys.executable, "-c", PROGRAM, "-C", str(root), *words)


def start(root: Path, *words: str, **options: Any) -> subprocess.Popen[str]:
    """The command line in a process of its own, its output in pipes."""
    return subprocess.Popen(
        command(root, *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def until(holds: Callable[[], object], patience_s: float = 20.0) -> None:
    """Wait until `holds`; fails after `patience_s`."""
    latest = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < latest, "waited in vain"
        time.sleep(0.02)


def tools_called(root: Path) -> int:
    """How many tool calls the attempts of all runs have made so far."""
    events = open_project(root).events
    attempts = [s for s in events.streams("run/") if "/attempt/" in s]
    return sum(e.event_type == "tool_called" for s in attempts for e in events.read(s))
