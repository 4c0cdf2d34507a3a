"""`estimate` and `plan` learn from the runs of this repository that have finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.projects import fanfold
from tests.fakes.tracks import OPEN_TRACK, letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--json")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / "project", OPEN_TRACK)


def test_a_finished_run_is_learned_from(root: Path) -> None:
    before = fanfold(root, "estimate", "--json").json
    assert before["learned_from"] == {"runs": 0, "attempts": 0}
    assert fanfold(root, *RUN).code == 0
    after = fanfold(root, "estimate", "--json").json
    assert after["learned_from"] == {"runs": 1, "attempts": 3}
    assert after["certainty"] in {"low", "fair", "high"}
    assert float(after["dollars"]["likely"]) < float(before["dollars"]["likely"])
    assert "3 attempts in the last run" in fanfold(root, "plan").out


def test_what_a_script_played_says_nothing_of_a_model(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fanfold(root, *RUN).code == 0
    monkeypatch.delenv("FANFOLD_MODEL_SCRIPT")
    told = fanfold(root, "estimate", "--json").json
    assert told["learned_from"]["attempts"] == 0


def test_a_cleaned_run_is_forgotten(root: Path) -> None:
    assert fanfold(root, *RUN).code == 0
    assert fanfold(root, "clean").code == 0
    assert fanfold(root, "estimate", "--json").json["learned_from"]["attempts"] == 0
