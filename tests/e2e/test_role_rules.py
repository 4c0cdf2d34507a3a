"""`[roles]` of fanfold.toml hold in a whole run, and what they deny is told and recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.fakes.projects import PLAN, fanfold, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TASKS = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write a file\n"
SETTINGS = '[roles.implementer]\nwrites = ["docs/**"]\neffort = "low"\n'


def test_a_role_keeps_to_its_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [
        {"name": "write", "input": {"file_path": "setup.py", "content": "x\n"}},
        {"name": "write", "input": {"file_path": "docs/a.md", "content": "x\n"}},
        {"name": "bash", "input": {"command": "echo x >setup.py"}},
    ]
    submit = {"name": "submit", "input": {"status": "done", "summary": "Done."}}
    script = tmp_path / "script.json"
    turns = [{"calls": calls}, {"calls": [submit]}]
    script.write_bytes(msgspec.json.encode({"attempts": [{"task": "*", "turns": turns}]}))
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(script))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = make_repository(tmp_path / "project", {PLAN: TASKS, "fanfold.toml": SETTINGS})
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json", "--no-sandbox")
    changed = git(root, "diff", "--name-only", "HEAD", ended.json["branch"]).split()
    assert changed == [PLAN, "docs/a.md"]
    logs = (root / ".ai-workspace").rglob("events.jsonl")
    lines = [msgspec.json.decode(x) for log in logs for x in log.read_bytes().splitlines()]
    tools = [line["data"] for line in lines if line["event_type"] == "tool_called"]
    assert [(tool["name"], tool["allowed"]) for tool in tools] == [
        ("write", False),
        ("write", True),
        ("bash", False),
        ("submit", True),
    ]
    assert "may write: docs/**" in tools[0]["why"]
    assert "may only read, submit, write" in tools[2]["why"]
