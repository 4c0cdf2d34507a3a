"""Whole runs with commands in the sandbox, and what is said where there is none."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from fanfold.bootstrap import no_sandbox_because
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import OPEN_TRACK, letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

RUN = ("run", "--budget", "5", "--json")
contained = pytest.mark.skipif(no_sandbox_because() is not None, reason=no_sandbox_because() or "")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / "project", OPEN_TRACK)


@contained
def test_checks_and_agents_run_in_the_sandbox(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    tried = f"cat {secret} > alpha.txt 2>&1; echo tried >> alpha.txt"
    turns = [
        {"calls": [{"name": "bash", "input": {"command": tried}}]},
        {"calls": [{"name": "submit", "input": {"status": "done", "summary": "Tried."}}]},
    ]
    play(monkeypatch, tmp_path, {"task": "Write alpha", "turns": turns}, *letters())
    ended = fanfold(root, *RUN, "--check", f"! test -e {secret}", "--check", "test -f README.md")
    assert (ended.code, ended.json["verified"]) == (0, True), ended.err
    written = git(root, "show", f"{ended.json['branch']}:alpha.txt")
    assert written.endswith("tried")
    assert "mine" not in written


@contained
def test_a_tester_writes_tests_and_runs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = "# Plan\n\n## Phase 1: Tests\n\n- [ ] Task: Write tests for double\n"
    root = letters_repository(tmp_path / "project", plan)
    (root / "double.py").write_text("def double(n):\n    return n + n\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "double")
    test = (
        "import unittest\nfrom double import double\n\n\nclass Doubles(unittest.TestCase):\n"
        "    def test_two(self):\n        self.assertEqual(double(2), 4)\n"
    )
    turns = [
        {"calls": [{"name": "write", "input": {"file_path": "test_double.py", "content": test}}]},
        {"calls": [{"name": "bash", "input": {"command": "python3 -m unittest -v test_double"}}]},
        {"calls": [{"name": "submit", "input": {"status": "done", "summary": "Tested."}}]},
    ]
    play(monkeypatch, tmp_path, {"task": "Write tests for double", "turns": turns})
    ended = fanfold(root, *RUN, "--check", "python3 -m unittest test_double")
    assert (ended.code, ended.json["verified"]) == (0, True), ended.err
    (tried,) = fanfold(root, "show", "", "1.1", "--json").json["attempts"]
    assert (tried["role"], tried["report"]["files"]) == ("tester", ["test_double.py"])
    transcript = fanfold(root, "show", "", "1.1", "--transcript").out
    assert "test_two" in transcript
    assert "[exit code 0]" in transcript


@contained
def test_the_demo_shows_the_whole_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    ended = fanfold(tmp_path, "demo", "look")
    assert ended.code == 0, ended.err
    for told in ("conflicts in", "broke the checks", "the plan has a gate", "the demo says yes"):
        assert told in ended.err
    assert "fanfold apply" in ended.out
    assert fanfold(tmp_path / "look", "apply").code == 0
    assert fanfold(tmp_path, "demo", "look").code == 2


def test_without_a_sandbox_nothing_starts(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "env"):
        (programs / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(programs))
    ended = fanfold(root, *RUN)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), ended
    assert "--no-sandbox" in ended.err
    assert fanfold(root, "status", "--json").json["runs"] == []
