"""The plan is edited while a run goes on: marks find their tasks, what does not fit is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.batches import BATCH, all_letters, plan_path, tracks_repository
from tests.fakes.projects import PLAN, fanfold, git
from tests.fakes.tracks import letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

PLAN_TEXT = """\
# Letters

## Phase 1: Greek

- [ ] Task: Write alpha
- [ ] Task: Write beta
    - [ ] Write it small
- [ ] Task: Write gimel
"""
RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--unit", "task", "--json")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run that is not applied yet."""
    play(monkeypatch, tmp_path, *letters())
    root = letters_repository(tmp_path / "project", PLAN_TEXT)
    assert fanfold(root, *RUN).code == 0
    return root


@pytest.mark.parametrize("committed", [True, False])
def test_changed_and_vanished_tasks_are_listed_and_the_result_is_kept(
    root: Path, committed: bool
) -> None:
    edited = PLAN_TEXT.replace("- [ ] Task: Write alpha\n", "").replace("small", "in capitals")
    edited += "- [ ] Task: Write delta\n"
    (root / PLAN).write_text(edited)
    if committed:
        git(root, "commit", "-qam", "edited")
    applied = fanfold(root, "apply", "--json")
    assert applied.code == 0, applied.err
    warnings = {w["code"]: w["text"] for w in applied.json["warnings"]}
    assert set(warnings) == {"task_vanished", "task_changed"}
    assert "Write alpha" in warnings["task_vanished"]
    assert "Write beta" in warnings["task_changed"]
    assert "Write alpha" in applied.err
    plan = (root / PLAN).read_text()
    assert "Write alpha" not in plan
    assert "- [ ] Task: Write delta" in plan
    assert plan.count("- [x] Task:") == 2
    for word in ("alpha", "beta", "gimel"):
        assert (root / f"{word}.txt").read_text() == f"{word}\n"


def test_a_plan_that_was_removed_stays_away(root: Path) -> None:
    git(root, "rm", "-q", PLAN)
    git(root, "commit", "-qm", "gone")
    applied = fanfold(root, "apply", "--json")
    assert applied.code == 0, applied.err
    assert [w["code"] for w in applied.json["warnings"]] == ["plan_gone"]
    assert (root / "alpha.txt").exists()
    assert not (root / PLAN).exists()


def test_a_phase_that_got_another_task_meanwhile_is_not_closed(root: Path) -> None:
    file = root / PLAN
    file.write_text(PLAN_TEXT + "- [ ] Task: Write delta\n\n## Phase 2: More\n")
    assert fanfold(root, "apply").code == 0
    assert "checkpoint" not in file.read_text()
    assert fanfold(root, "apply", "--undo").code == 0
    file.write_text(PLAN_TEXT + "\n## Phase 2: More\n\n- [ ] Task: Write delta\n")
    assert fanfold(root, "apply").code == 0
    assert "## Phase 1: Greek [checkpoint: " in file.read_text()


@pytest.mark.parametrize("committed", [True, False])
def test_a_list_of_tracks_that_was_edited_keeps_its_edits_and_gets_its_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    root = tracks_repository(tmp_path / "project")
    assert fanfold(root, *BATCH, "--budget", "9").code == 0
    file = root / "conductor/tracks.md"
    edited = file.read_text().replace("# Tracks\n", "# All our tracks\n") + "- [ ] fourth - Later\n"
    file.write_text(edited)
    if committed:
        git(root, "commit", "-qam", "edited")
    applied = fanfold(root, "apply")
    assert applied.code == 0, applied.err
    assert file.read_text() == edited.replace("[ ]", "[x]", 3)
    assert fanfold(root, "apply", "--undo").code == 0
    assert file.read_text() == edited


def test_a_batch_keeps_edits_of_every_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    root = tracks_repository(tmp_path / "project")
    assert fanfold(root, *BATCH, "--budget", "9").code == 0
    for track in ("second", "third"):
        file = root / plan_path(track)
        file.write_text(file.read_text() + f"- [ ] Task: More of {track}\n")
    applied = fanfold(root, "apply", "--json")
    assert (applied.code, applied.json["warnings"]) == (0, []), applied.err
    for track in ("second", "third"):
        text = (root / plan_path(track)).read_text()
        assert f"- [ ] Task: More of {track}" in text
        assert "- [x] Task: Write" in text
