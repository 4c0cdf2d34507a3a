"""`fanfold apply`: a result into the user's branch, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import OPEN_TRACK, letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--json")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / "project", OPEN_TRACK)


@pytest.fixture
def ran(root: Path) -> Any:
    """A run that has completed."""
    return fanfold(root, *RUN).json


def standing(root: Path) -> tuple[str, ...]:
    return (
        git(root, "rev-parse", "HEAD"),
        git(root, "status", "--porcelain", "--untracked-files=all", "--", ":!.ai-workspace"),
        git(root, "diff", "HEAD"),
    )


@pytest.mark.parametrize("words", [(), ("--no-commit",)])
def test_in_and_out_again_and_again(root: Path, ran: Any, words: tuple[str, ...]) -> None:
    (root / "README.md").write_text("My own change.\n")
    before = standing(root)
    for _ in range(2):
        applied = fanfold(root, "apply", *words, "--json")
        assert applied.code == 0, applied.err
        assert applied.json["how"] == ("content" if words else "fast_forward")
        assert (root / "alpha.txt").read_text() == "alpha\n"
        assert (git(root, "rev-parse", "HEAD") == before[0]) is bool(words)
        undone = fanfold(root, "apply", "--undo")
        assert undone.code == 0, undone.err
        assert ran["run"] in undone.out
        assert standing(root) == before


def test_kinds_of_apply_may_follow_each_other(root: Path, ran: Any) -> None:
    before = standing(root)
    for words in ((), ("--no-commit",), (), ("--no-commit",)):
        assert fanfold(root, "apply", ran["run"], *words).code == 0
        assert fanfold(root, "apply", ran["run"], "--undo").code == 0
        assert standing(root) == before


def test_a_branch_that_has_moved_is_merged(root: Path, ran: Any) -> None:
    (root / "mine.txt").write_text("mine\n")
    git(root, "add", "mine.txt")
    git(root, "commit", "-q", "-m", "mine")
    applied = fanfold(root, "apply")
    assert (applied.code, "was merged with the result" in applied.out) == (0, True)
    assert ran["run"] in git(root, "log", "-1", "--format=%s")
    assert {p.stem for p in root.glob("*.txt")} == {"alpha", "beta", "gimel", "mine"}
    again = fanfold(root, "apply")
    assert (again.code, "holds the result" in again.out) == (0, True)


@pytest.mark.parametrize("committed", [True, False])
def test_what_is_in_the_way_is_named_and_kept(root: Path, ran: Any, committed: bool) -> None:
    (root / "alpha.txt").write_text("mine\n")
    if committed:
        git(root, "add", "alpha.txt")
        git(root, "commit", "-q", "-m", "mine")
    before = standing(root)
    for words in ((), ("--json",), ("--no-commit",)):
        refused = fanfold(root, "apply", *words)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1), ran
        assert "'alpha.txt'" in refused.err
        assert standing(root) == before
    assert (root / "alpha.txt").read_text() == "mine\n"


def test_work_done_since_is_not_taken_back(root: Path, ran: Any) -> None:
    assert fanfold(root, "apply").code == 0
    (root / "beta.txt").write_text("better\n")
    refused = fanfold(root, "apply", "--undo")
    assert (refused.code, "'beta.txt'" in refused.err) == (2, True), ran
    assert (root / "beta.txt").read_text() == "better\n"


def test_a_run_without_a_result(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, {"task": "*", "turns": [{"stop_reason": "refusal"}]})
    assert fanfold(root, *RUN).code == 1
    refused = fanfold(root, "apply", "--json")
    assert (refused.code, refused.out) == (2, "")
    assert "no result" in refused.err
