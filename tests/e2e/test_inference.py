"""`--parallel infer`: guesses are explained, and a wrong one never makes a wrong result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.projects import PLAN, fanfold, git, make_repository
from tests.fakes.tracks import play

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TRACK = """\
# Letters

## Phase 1: Greek

- [ ] Task: Change alpha.txt
- [ ] Task: Change beta.txt
"""
RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--json", "--unit", "task")


def project(folder: Path, *, together: bool) -> Path:
    root = make_repository(
        folder, {PLAN: TRACK, "alpha.txt": "0\n", "beta.txt": "0\n", "other.txt": "0\n"}
    )
    git(root, "config", "user.name", "Test")
    git(root, "config", "user.email", "test@localhost")
    for number in range(1, 12):
        for name in ("alpha.txt", "beta.txt") if together and number < 5 else ("other.txt",):
            (root / name).write_text(f"{number}\n")
        git(root, "commit", "-q", "-am", str(number))
    return root


def test_history_keeps_apart_what_changes_together(tmp_path: Path) -> None:
    root = project(tmp_path / "project", together=True)
    told = fanfold(root, "plan", "--parallel", "infer", "--unit", "task", "--json").json
    assert told["waves"] == [["1.1"], ["1.2"]]
    why = {each["path"]: each["why"] for each in told["predicted"]["1.1"]}
    assert why == {
        "alpha.txt": "named",
        "beta.txt": "changed with alpha.txt in 5 of 5 commits",
    }
    assert "changed with alpha.txt" in fanfold(root, "plan", "--parallel", "infer").out


def test_the_run_is_admitted_as_it_was_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path / "project", together=False)
    play(
        monkeypatch,
        tmp_path,
        {"task": "1.1", "files": {"alpha.txt": "α\n"}, "submit": "Done."},
        {"task": "1.2", "files": {"beta.txt": "β\n"}, "submit": "Done."},
    )
    shown = fanfold(root, "plan", "--parallel", "infer", "--unit", "task", "--json").json
    assert shown["waves"] == [["1.1", "1.2"]]
    assert fanfold(root, *RUN, "--parallel", "infer").code == 0
    events = [line for line in fanfold(root, "events").out.splitlines() if "dispatched" in line]
    bases = {line.split('"base_tree":"')[1][:40] for line in events}
    assert (len(events), len(bases)) == (2, 1)


def test_a_wrong_guess_costs_an_attempt_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both also write a third file; the conflict is found, and an arbiter settles it."""
    root = project(tmp_path / "project", together=False)
    play(
        monkeypatch,
        tmp_path,
        {"task": "1.1", "files": {"alpha.txt": "α\n", "other.txt": "α\n"}, "submit": "Done."},
        {
            "task": "1.2",
            "purpose": "work",
            "files": {"beta.txt": "β\n", "other.txt": "β\n"},
            "submit": "Done.",
        },
        {"task": "1.2", "purpose": "resolve", "files": {"other.txt": "αβ\n"}, "submit": "Both."},
    )
    told = fanfold(root, *RUN, "--parallel", "infer").json
    assert [(t["state"], t["attempts"]) for t in told["tasks"]] == [("merged", 1), ("merged", 2)]
    for name, text in (("alpha.txt", "α"), ("beta.txt", "β"), ("other.txt", "αβ")):
        assert git(root, "show", f"{told['branch']}:{name}") == text
