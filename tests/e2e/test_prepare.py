"""`[prepare]` makes the environment once; every attempt and check finds it in its checkout."""

from __future__ import annotations

import json
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


def test_a_lockfile_may_be_larger_than_files_of_agents(root: Path) -> None:
    (root / "package-lock.json").write_text("{}\n" * 2_000_000)
    git(root, "add", "package-lock.json")
    git(root, "commit", "-qm", "lock")
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json", "--no-sandbox")
    assert ended.code == 0, ended.err


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


SECRET = "a token of " + "no known shape"
FETCHING = """\
[prepare]
commands = ["mkdir -p .venv && echo got $DEMO_TOKEN > .venv/state"]
secrets = ["DEMO_TOKEN"]
"""
LOOKING = [
    {"name": "bash", "input": {"command": "env | grep -c DEMO_TOKEN; cat .venv/state"}},
    {"name": "submit", "input": {"status": "done", "summary": f"It is {SECRET}."}},
]


def fetching(root: Path, tmp_path: Path, settings: str = FETCHING) -> None:
    (root / "fanfold.toml").write_text(settings)
    turns = [{"calls": [call]} for call in LOOKING]
    script = {"attempts": [{"task": "*", "turns": turns}]}
    (tmp_path / "script.json").write_bytes(msgspec.json.encode(script))


def test_a_secret_of_prepare_is_in_its_environment_alone_and_told_nowhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching(root, tmp_path)
    monkeypatch.setenv("DEMO_TOKEN", SECRET)
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json", "--no-sandbox")
    assert ended.code in (0, 1), ended.err
    told = fanfold(root, "show", "", "1.1", "--transcript").out
    assert "0\\ngot «redacted:DEMO_TOKEN»" in told
    kept = (file for file in (root / ".ai-workspace").rglob("*") if file.is_file())
    assert [file for file in kept if SECRET.encode() in file.read_bytes()] == []
    (read,) = [
        line["data"]
        for line in map(json.loads, fanfold(root, "events", "--attempts").out.splitlines())
        if line["event_type"] == "access_decided"
    ]
    assert (read["operation"], read["subject"], read["by"]) == (
        *("secret.read", "DEMO_TOKEN", "[prepare]"),
    )


def test_a_failed_command_tells_no_secret(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching(root, tmp_path, FETCHING.replace("mkdir -p .venv", "echo no $DEMO_TOKEN; false"))
    monkeypatch.setenv("DEMO_TOKEN", SECRET)
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json", "--no-sandbox")
    assert ended.code == 5
    assert "no «redacted:DEMO_TOKEN»" in ended.err
    assert SECRET not in ended.err + ended.out


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("DEMO_TOKEN", "[prepare] secrets: DEMO_TOKEN is not set: export it, or take it out"),
        ("ANTHROPIC_API_KEY", "[prepare] may not read the secret ANTHROPIC_API_KEY; allowed: none"),
    ],
)
def test_a_secret_that_is_not_there_or_not_for_commands_is_refused(
    root: Path, tmp_path: Path, name: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching(root, tmp_path, FETCHING.replace("DEMO_TOKEN", name))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x" * 9)
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--no-sandbox")
    assert (ended.code, ended.err.strip().splitlines()[-1]) == (2, f"fanfold: {why}")
