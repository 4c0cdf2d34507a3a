"""A cap that was too low for one attempt: a higher one lets it be made again, and it suffices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.projects import PLAN, fanfold, make_repository
from tests.fakes.tracks import play

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TRACK = "# Letters\n\n## Phase 1: Greek\n\n- [ ] Task: Write alpha\n"
OTHER = TRACK.replace("alpha", "beta")
SECOND = "conductor/tracks/two/plan.md"
RUN = ("run", "--check", "true", "--no-sandbox", "--json")


def dear(word: str) -> dict[str, Any]:
    """An attempt of about $0.75, which is more than an estimate without experience says."""
    paths = [f"{word}{number}" for number in range(6)]
    turns: list[dict[str, Any]] = [
        {"calls": [{"name": "write", "input": {"file_path": path, "content": "x" * 40_000}}]}
        for path in paths
    ]
    done = {"name": "submit", "input": {"status": "done", "summary": "Done."}}
    return {"task": f"Write {word}", "turns": [*turns, {"calls": [done]}]}


def test_a_run_takes_up_what_its_cap_was_too_low_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, dear("alpha"))
    root = make_repository(tmp_path / "project", {PLAN: TRACK})
    small = fanfold(root, *RUN, "--budget", "0.4").json
    assert small["tasks"][0]["reason"] == "budget", small
    large = fanfold(root, "resume", "--budget", "5", "--json")
    assert (large.code, large.json["outcome"]) == (0, "completed"), large.err


def test_a_batch_gives_more_to_a_track_whose_cap_was_too_low(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, dear("alpha"), dear("beta"))
    root = make_repository(tmp_path / "project", {PLAN: TRACK, SECOND: OTHER})
    small = fanfold(root, *RUN, "--all-open", "--budget", "1").json
    reasons = [task["reason"] for run in small["runs"] for task in run["tasks"]]
    assert set(reasons) == {"budget"}, small
    large = fanfold(root, "resume", small["batch"], "--budget", "50", "--json")
    states = [task["state"] for run in large.json["runs"] for task in run["tasks"]]
    assert (large.code, states) == (0, ["merged", "merged"]), large.err
