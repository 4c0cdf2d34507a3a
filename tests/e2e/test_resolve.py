"""A person settles a conflict in a work tree of its own, of a run and of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.batches import BATCH, tracks_repository, writes
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import OPEN_TRACK, letters, letters_repository, play

if TYPE_CHECKING:
    from tests.fakes.projects import Ended

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--json", "--unit", "task")
BLOCKED = {"name": "submit", "input": {"status": "blocked", "summary": "No idea."}}
LOST: dict[str, Any] = {"task": "*", "purpose": "resolve", "turns": [{"calls": [BLOCKED]}]}


def lost(task: str) -> dict[str, Any]:
    return {**LOST, "task": task}


def states(ended: Ended) -> dict[str, str]:
    return {t["id"]: t["state"] for t in ended.json["tasks"]}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose second task is conflicted, so that the third was not started."""
    same = [
        {
            "task": f"Write {word}",
            "files": {"same.txt": f"{word}\n", f"{word}.txt": f"{word}\n"},
            "submit": "Wrote.",
        }
        for word in ("alpha", "beta")
    ]
    play(monkeypatch, tmp_path, lost("Write beta"), *same, *letters())
    root = letters_repository(tmp_path / "project", OPEN_TRACK)
    ended = fanfold(root, *RUN)
    assert states(ended) == {"1.1": "merged", "1.2": "conflicted", "2.1": "skipped"}, ended.err
    return root


def test_a_conflict_settled_by_hand_goes_in_and_the_run_goes_on(root: Path) -> None:
    before = git(root, "status", "--porcelain")
    opened = fanfold(root, "resolve", "1.2", "--json").json
    folder = Path(opened["folder"])
    assert opened["paths"] == ["same.txt"]
    text = (folder / "same.txt").read_text()
    assert "<<<<<<<" in text
    assert "|||||||" in text
    assert (folder / "beta.txt").read_text() == "beta\n"

    refused = fanfold(root, "resolve", "1.2", "--continue")
    assert (refused.code, "markers are left in same.txt" in refused.err) == (2, True)

    (folder / "same.txt").write_text("alpha and beta\n")
    ended = fanfold(root, "resolve", "1.2", "--continue", "--json")
    assert (ended.code, set(states(ended).values())) == (0, {"merged"}), ended.err
    assert git(root, "show", f"{ended.json['branch']}:same.txt") == "alpha and beta"
    assert not folder.exists()
    assert git(root, "status", "--porcelain") == before
    assert "resolve" not in git(root, "worktree", "list")


def test_aborting_leaves_the_conflict_as_it_was(root: Path) -> None:
    folder = Path(fanfold(root, "resolve", "1.2", "--json").json["folder"])
    assert fanfold(root, "resolve", "1.2").code == 2
    assert fanfold(root, "resolve", "1.2", "--abort").code == 0
    assert not folder.exists()
    assert fanfold(root, "resolve", "1.2", "--abort").code == 2
    assert fanfold(root, "resolve", "1.2", "--continue").code == 2
    assert fanfold(root, "resolve", "1.1").code == 2
    assert "settle same.txt" in fanfold(root, "resolve", "1.2").out


def test_tracks_that_conflict_are_brought_together_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clash = [
        writes("alpha", {"same.txt": "alpha\n"}),
        writes("gimel", {"same.txt": "gimel\n"}),
        writes("delta"),
    ]
    play(monkeypatch, tmp_path, lost("1.2"), *clash)
    root = tracks_repository(tmp_path / "project")
    batch = fanfold(root, *BATCH, "--budget", "9").json
    assert [t["state"] for t in batch["tracks"]] == ["merged", "conflicted", "merged"]
    fold = batch["fold"]["run"]
    folder = Path(fanfold(root, "resolve", fold, "1.2", "--json").json["folder"])
    (folder / "same.txt").write_text("both\n")
    ended = fanfold(root, "resolve", fold, "1.2", "--continue", "--json")
    assert ended.code == 0, ended.err
    assert {t["state"] for t in ended.json["tracks"]} == {"merged"}
    assert git(root, "show", f"{ended.json['branch']}:same.txt") == "both"
    assert "[ ]" not in git(root, "show", f"{ended.json['branch']}:conductor/tracks.md")
