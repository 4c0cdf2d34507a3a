"""Batches in the background, interrupted, cancelled, and gone on with."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from fanfold.bootstrap import open_project
from tests.fakes.batches import BATCH, all_letters, tracks_repository, writes
from tests.fakes.projects import fanfold
from tests.fakes.tracks import play, start, tools_called, until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RUN = (*BATCH, "--budget", "9")


def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tracks of which the second thinks for long after having written."""
    play(monkeypatch, tmp_path, writes("gimel", delay_s=30.0), *all_letters())
    return tracks_repository(tmp_path / "project")


def batch_of(root: Path) -> str:
    (name,) = open_project(root).events.streams("batch/")
    return name.removeprefix("batch/")


def test_ctrl_c_stops_a_batch_and_resume_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = slow(tmp_path, monkeypatch)
    process = start(root, *RUN)
    until(lambda: tools_called(root) >= 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    name = batch_of(root)
    assert f"fanfold resume {name}" in err
    assert fanfold(root, "status", name, "--json").json["outcome"] == "interrupted"
    play(monkeypatch, tmp_path, *all_letters())
    ended = fanfold(root, "resume", "--json")
    assert ended.code == 0, ended.err
    assert {t["state"] for t in ended.json["tracks"]} == {"merged"}


def test_a_batch_in_the_background_is_cancelled_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = slow(tmp_path, monkeypatch)
    name = fanfold(root, *RUN, "--detach").json["batch"]
    until(lambda: tools_called(root) >= 3)
    again = fanfold(root, *RUN)
    assert (again.code, "is being run already" in again.err) == (2, True)
    assert fanfold(root, "cancel", name).code == 0
    assert "cancelled" in fanfold(root, "watch", name).out
    play(monkeypatch, tmp_path, *all_letters())
    ended = fanfold(root, "resume", name, "--json")
    assert (ended.code, ended.json["outcome"]) == (0, "completed"), ended.err


def test_a_batch_that_nobody_drives_is_cancelled_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    root = tracks_repository(tmp_path / "project", gated=["first"])
    assert fanfold(root, *RUN).code == 3
    ended = fanfold(root, "cancel", "--json")
    assert (ended.code, ended.json["outcome"]) == (0, "cancelled"), ended.err
    assert fanfold(root, "cancel").code == 2
