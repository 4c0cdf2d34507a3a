"""`[prepare]` makes the environment once; every attempt and check finds it in its checkout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.projects import PLAN, fanfold, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

TASKS = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write a file\n"
SETTINGS = """\
[prepare]
commands = ["mkdir -p .venv && echo ready > .venv/state && echo x >> {count}"]

[checks]
run = ["test -e .venv/state"]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    command = "cat .venv/state > seen.txt"
    turns = [
        {"calls": [{"name": "bash", "input": {"command": command}}]},
        {"calls": [{"name": "submit", "input": {"status": "done", "summary": "Looked."}}]},
    ]
    script = tmp_path / "script.json"
    script.write_bytes(msgspec.json.encode({"attempts": [{"task": "*", "turns": turns}]}))
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(script))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = SETTINGS.format(count=tmp_path / "count")
    return make_repository(tmp_path / "project", {PLAN: TASKS, "fanfold.toml": settings})


def test_a_prepared_layer_is_made_once_and_found_by_attempts_and_checks(
    root: Path, tmp_path: Path
) -> None:
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json", "--no-sandbox")
    assert ended.code == 0, ended.err
    branch = ended.json["branch"]
    assert git(root, "show", f"{branch}:seen.txt") == "ready"
    assert ".venv" not in git(root, "ls-tree", "-r", "--name-only", branch)
    assert (tmp_path / "count").read_text() == "x\n"
    assert not list((tmp_path / "cache" / "fanfold" / "workspaces").glob("live-*/*/tree"))


def test_a_command_that_fails_is_told_with_its_output(root: Path) -> None:
    text = (root / "fanfold.toml").read_text()
    (root / "fanfold.toml").write_text(text.replace("mkdir -p .venv", "echo no such tool; false"))
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json", "--no-sandbox")
    assert ended.code == 5
    assert "no such tool" in ended.json["error"]
    assert "echo no such tool; false" in ended.err
    assert "no such tool" in ended.err.splitlines()[-1]
    assert fanfold(root, "status", "--json").json["runs"] == []


def test_a_patch_that_changes_a_lockfile_is_checked_in_an_environment_of_its_own(
    root: Path, tmp_path: Path
) -> None:
    commands = "mkdir -p .venv && cat package-lock.json > .venv/state"
    check = "cmp package-lock.json .venv/state"
    settings = f'[prepare]\ncommands = ["{commands}"]\n[checks]\nrun = ["{check}"]\n'
    (root / "fanfold.toml").write_text(settings)
    (root / "package-lock.json").write_text("1\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "lock")
    call = {"name": "write", "input": {"file_path": "package-lock.json", "content": "2\n"}}
    done = {"name": "submit", "input": {"status": "done", "summary": "Raised."}}
    turns = [{"calls": [call]}, {"calls": [done]}]
    script = msgspec.json.encode({"attempts": [{"task": "*", "turns": turns}]})
    (tmp_path / "script.json").write_bytes(script)
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json", "--no-sandbox")
    assert (ended.code, ended.json["verified"]) == (0, True), ended.err
    states = sorted((tmp_path / "cache/fanfold/layers").glob("*/files/.venv/state"))
    assert sorted(state.read_text() for state in states) == ["1\n", "2\n"]
    for state in states:
        os.utime(state.parents[2], (0, 0))
    assert fanfold(root, "clean", "--json").json["environments"] == 2
    assert not any(state.exists() for state in states)
