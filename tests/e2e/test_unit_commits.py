"""Several tasks in one unit: each keeps its commit, its SHA and its mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.projects import PLAN, fanfold, git
from tests.fakes.tracks import letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TRACK = """\
# Letters

## Phase 1: Greek

- [ ] Task: Write tests for alpha
- [ ] Task: Implement alpha
- [ ] Task: Describe alpha
"""
# Green at the end of the unit only: what is finished on the way is never judged.
CHECK = "test ! -e test_alpha.txt || test -e alpha.txt"
RUN = ("run", "--budget", "5", "--check", CHECK, "--no-sandbox", "--json", "--unit", "phase")
ALPHA = {"test_alpha.txt": "test\n"}


def turn(files: dict[str, str], *, task: str = "") -> dict[str, Any]:
    wrote = [
        {"name": "write", "input": {"file_path": path, "content": text}}
        for path, text in files.items()
    ]
    done = {"name": "submit", "input": {"status": "done", "summary": "Done.", "task": task}}
    return {"calls": [*wrote, done]}


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *turns: dict[str, Any]) -> Any:
    play(monkeypatch, tmp_path, {"task": "1.1", "turns": turns})
    root = letters_repository(tmp_path / "project", TRACK)
    ended = fanfold(root, *RUN)
    assert (ended.code, ended.json["outcome"]) == (0, "completed"), ended.err
    return root, ended.json


def commits(root: Path, told: Any) -> list[str]:
    """Of each commit of work, oldest first: its subject and the files it changes."""
    log = git(root, "log", "--reverse", "--format=%x00%s", "--name-only", f"main..{told['branch']}")
    entries = [entry.split("\n", 1) for entry in log.split("\0")[1:]]
    shown = [f"{subject}: {' '.join(sorted(rest.split()))}" for subject, rest in entries]
    return [entry for entry in shown if not entry.startswith("conductor(")]


def test_a_commit_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, told = run(
        tmp_path,
        monkeypatch,
        turn(ALPHA, task="1.1"),
        turn({"alpha.txt": "alpha\n"}, task="1.2"),
        turn({"README.md": "Letters, and alpha\n"}),
    )
    assert commits(root, told) == [
        "Write tests for alpha: test_alpha.txt",
        "Implement alpha: alpha.txt",
        "Describe alpha: README.md",
    ]
    assert len({task["unit"] for task in told["tasks"]}) == 1
    assert len({task["commit"] for task in told["tasks"]}) == 3
    plan = git(root, "show", f"{told['branch']}:{PLAN}")
    for task in told["tasks"]:
        assert f"[x] Task: {task['title']} {task['commit'][:7]}" in plan
        git(root, "merge-base", "--is-ancestor", task["commit"], told["branch"])


def test_tasks_without_an_end_of_their_own_share_the_last_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"alpha.txt": "alpha\n", "README.md": "Letters, and alpha\n"}
    root, told = run(tmp_path, monkeypatch, turn(ALPHA, task="1.1"), turn(both))
    assert commits(root, told) == [
        "Write tests for alpha: test_alpha.txt",
        "Implement alpha; Describe alpha: README.md alpha.txt",
    ]
    assert told["tasks"][1]["commit"] == told["tasks"][2]["commit"]


def test_a_secret_on_the_way_reaches_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-ant-api03-" + "aB3x9Zq7" * 11 + "AA"
    root, told = run(
        tmp_path,
        monkeypatch,
        turn({"alpha.txt": f"key = '{secret}'\n"}, task="1.1"),
        turn({"alpha.txt": "alpha\n"}),
    )
    assert len(commits(root, told)) == 1
    everything = git(root, "log", "-p", "--all")
    assert secret not in everything
    assert "redacted" not in everything


def test_control_files_on_the_way_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, told = run(
        tmp_path,
        monkeypatch,
        turn({**ALPHA, "fine.txt": "1\n"}, task="1.1"),
        turn({"alpha.txt": "alpha\n"}),
    )
    assert commits(root, told)[0] == "Write tests for alpha: fine.txt test_alpha.txt"
