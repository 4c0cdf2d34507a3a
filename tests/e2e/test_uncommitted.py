"""Work that is not committed: the plan itself, and what --include-dirty takes in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.fakes.projects import PLAN, fanfold, git, make_repository

TASKS = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write a file\n"
RUN = ("run", PLAN, "--budget", "1", "--unit", "task", "--check", "true", "--json", "--no-sandbox")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = {"attempts": [{"task": "*", "files": {"new.txt": "n\n"}, "submit": "x"}]}
    (tmp_path / "script.json").write_bytes(msgspec.json.encode(script))
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(tmp_path / "script.json"))
    root = make_repository(tmp_path / "project", {PLAN: TASKS, "x": "x\n"})
    git(root, "config", "user.name", "Test")
    git(root, "config", "user.email", "test@localhost")
    return root


def test_an_edited_plan_runs_as_it_is_and_is_marked(root: Path) -> None:
    (root / PLAN).write_text(TASKS + "- [ ] Task: Another\n")
    ended = fanfold(root, *RUN)
    assert ended.code == 0, ended.err
    assert "left out" not in ended.err
    assert fanfold(root, "apply").code == 0
    assert (root / PLAN).read_text().count("- [x] Task: ") == 2
    assert git(root, "status", "--porcelain", "--", "conductor", "new.txt") == ""
    assert fanfold(root, "apply", "--undo").code == 0
    assert (root / PLAN).read_text() == TASKS + "- [ ] Task: Another\n"


def test_a_plan_that_git_does_not_know_is_marked_too(root: Path) -> None:
    git(root, "rm", "-q", "--cached", PLAN)
    git(root, "commit", "-q", "-m", "forget the plan")
    assert fanfold(root, *RUN).code == 0
    assert fanfold(root, "apply").code == 0
    assert "- [x] Task: Write a file" in (root / PLAN).read_text()


def test_the_result_of_dirty_work_is_applied_around_it(root: Path) -> None:
    (root / "x").write_text("y\n")
    (root / "fresh").write_text("fresh\n")
    ended = fanfold(root, *RUN, "--include-dirty")
    branch = ended.json["branch"]
    assert git(root, "show", f"{branch}:x") == "y"
    assert ".ai-workspace" not in git(root, "ls-tree", "--name-only", branch)
    assert fanfold(root, "apply").code == 0
    assert (root / "new.txt").read_text() == "n\n"
    assert git(root, "status", "--porcelain", "--", "x", "fresh").split() == [
        "M",
        "x",
        "??",
        "fresh",
    ]
    assert fanfold(root, "apply", "--undo").code == 0
    assert not (root / "new.txt").exists()
    assert (root / "x").read_text() == "y\n"


def test_short_names_in_the_plan_are_never_mere_numbers(root: Path) -> None:
    tasks = "".join(f"- [ ] Task: Part {n}\n" for n in range(40))
    (root / PLAN).write_text(f"# Plan\n\n## Phase 1: One\n<!-- execution: parallel -->\n\n{tasks}")
    assert fanfold(root, *RUN).code == 0
    assert fanfold(root, "apply").code == 0
    names = [line.rsplit(" ", 1)[1] for line in (root / PLAN).read_text().splitlines()[5:]]
    assert len(names) == 40
    assert [n for n in names if len(n) != 7 or n.isdigit() or n.isalpha()] == []


def test_a_closed_stdin_is_no_hindrance(root: Path) -> None:
    program = Path(__file__).parents[2] / ".venv" / "bin" / "fanfold"
    command = f'"{program}" -C "{root}" {" ".join(RUN)} <&-'
    done = subprocess.run(("sh", "-c", command), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_plan_edited_while_the_run_went_on_keeps_its_edits_and_gets_the_marks(root: Path) -> None:
    assert fanfold(root, *RUN).code == 0
    edited = TASKS.replace("## Phase 1", "A note of mine.\n\n## Phase 1") + "- [ ] Task: Later\n"
    (root / PLAN).write_text(edited)
    applied = fanfold(root, "apply")
    assert applied.code == 0, applied.err
    plan = (root / PLAN).read_text()
    assert "A note of mine." in plan
    assert "- [x] Task: Write a file" in plan
    assert "- [ ] Task: Later" in plan
    assert fanfold(root, "apply", "--undo").code == 0
    assert (root / PLAN).read_text() == edited


def test_a_task_that_is_gone_from_the_plan_is_told(root: Path) -> None:
    assert fanfold(root, *RUN).code == 0
    (root / PLAN).write_text(TASKS.replace("Write a file", "Something else"))
    applied = fanfold(root, "apply")
    assert applied.code == 0, applied.err
    assert "Write a file" in applied.err
    assert "- [ ] Task: Something else" in (root / PLAN).read_text()
    assert (root / "new.txt").exists()


def test_a_result_can_be_applied_after_a_clean(root: Path) -> None:
    assert fanfold(root, *RUN).code == 0
    assert fanfold(root, "clean").code == 0
    assert fanfold(root, "apply").code == 0
    assert (root / "new.txt").exists()
