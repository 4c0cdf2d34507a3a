"""Runs that go on after the command has returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.bootstrap import open_project
from fanfold.cli.engines import LOCAL, engine_of
from tests.fakes.projects import fanfold
from tests.fakes.tracks import letters, letters_repository, play, start, tools_called, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--detach")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A repository; what still runs in it at the end is cancelled."""
    root = letters_repository(tmp_path / "project")
    yield root
    engine = engine_of(open_project(root), LOCAL)
    for run in fanfold(root, "status", "--json").json["runs"]:
        if engine.is_driven(run["run"]):
            fanfold(root, "cancel", run["run"])
            until(lambda name=run["run"]: not engine.is_driven(name))


def test_detach_returns_the_run_and_watch_follows_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *letters("alpha", delay_s=2))
    begun = fanfold(root, *RUN, "--json")
    assert (begun.code, begun.json["schema"]) == (0, "fanfold.detached/1")
    run = begun.json["run"]
    assert fanfold(root, "status", run, "--json").json["outcome"] == "running"
    again = fanfold(root, *RUN)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert run in again.err
    watched = fanfold(root, "watch", run)
    assert watched.code == 0
    assert "1.1 running as implementer: Write alpha" in watched.err
    assert f"run {run}: waiting" in watched.out
    state = fanfold(root, "status", run, "--json").json
    assert {t["id"]: t["state"] for t in state["tasks"]} == {
        "1.1": "merged",
        "1.2": "merged",
        "1.3": "waiting",
        "2.1": "merged",
    }
    log = root / ".ai-workspace" / "runs" / run / "driver.log"
    until(lambda: f"run {run}: waiting" in log.read_text())


def test_cancel_stops_what_goes_on_in_the_background(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *letters("alpha", "beta"))
    assert fanfold(root, *RUN).code == 0
    until(lambda: tools_called(root) == 2)
    follower = start(root, "events", "--follow")
    assert fanfold(root, "cancel").code == 0
    out, err = follower.communicate(timeout=10)
    assert (follower.returncode, err) == (0, "")
    assert '"run_cancelled"' in out.splitlines()[-1]
    assert fanfold(root, "status", "--json").json["runs"][0]["outcome"] == "cancelled"


def test_what_cannot_start_in_the_background_says_so(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(tmp_path / "missing.json"))
    ended = fanfold(root, *RUN)
    assert (ended.code, ended.out) == (2, "")
    assert "missing.json" in ended.err
