"""Artifacts as files: what else may lie in their folders, and links that lead out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.keys import TEMPORARY
from fanfold.adapters.local.artifact_store import FileArtifactStore
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.errors import ArtifactMissing, FanfoldError
from fanfold.run.events import RunQueued
from tests.fakes.memory import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

KEY = "runs/r1/attempts/1.1/1/patch.diff"


def test_the_key_is_the_path(tmp_path: Path) -> None:
    FileArtifactStore(tmp_path).put(KEY, b"x")
    assert (tmp_path / KEY).read_bytes() == b"x"


def test_logs_are_no_artifacts(tmp_path: Path) -> None:
    events = JsonlEventStore(tmp_path, "demo", ManualClock())
    store = FileArtifactStore(tmp_path)
    for stream in ("run/r1", "run/r1/attempt/1.1"):
        events.append(stream, 0, [RunQueued(reason="x" * 100_000)])
    store.put(KEY, b"x")
    assert store.list("runs/r1/attempts/1.1/1") == [KEY]
    assert store.delete("runs/r1") == 1
    assert [len(events.read(s)) for s in events.streams()] == [1, 1]


def test_deleting_removes_the_empty_folders(tmp_path: Path) -> None:
    store = FileArtifactStore(tmp_path)
    store.put(KEY, b"x")
    store.put("runs/r2/plan.md", b"x")
    store.delete("runs/r1")
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["r2"]
    store.delete("runs/r2")
    assert tmp_path.exists()


def test_what_a_crash_left_behind_is_no_artifact(tmp_path: Path) -> None:
    store = FileArtifactStore(tmp_path)
    store.put(KEY, b"x")
    leftover = (tmp_path / KEY).with_name(f"{TEMPORARY}1-0")
    leftover.write_bytes(b"half")
    assert store.list("runs") == [KEY]
    assert store.delete("runs/r1") == 1
    assert not leftover.exists()


@pytest.mark.parametrize("target", ["folder", "file"])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, target: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    (outside / "1").mkdir(parents=True)
    secret = outside / "1" / "patch.diff"
    secret.write_text("not yours")
    attempt = root / "runs/r1/attempts/1.1"
    attempt.mkdir(parents=True)
    if target == "folder":
        (attempt / "1").symlink_to(outside / "1")
    else:
        (attempt / "1").mkdir()
        (attempt / "1" / "patch.diff").symlink_to(secret)
    store = FileArtifactStore(root)
    with pytest.raises(FanfoldError, match="symbolic link"):
        store.get(KEY)
    with pytest.raises(FanfoldError, match="symbolic link"):
        store.put(KEY, b"overwritten")
    store.delete("runs/r1")
    assert secret.read_text() == "not yours"


def test_a_workspace_behind_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    FileArtifactStore(tmp_path / "link").put(KEY, b"x")
    assert FileArtifactStore(tmp_path / "real").get(KEY) == b"x"


def test_a_file_in_the_way_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(FanfoldError, match="move away the file"):
        FileArtifactStore(tmp_path).put(KEY, b"x")
    assert (tmp_path / "runs").read_text() == "mine"


def test_a_folder_is_no_artifact(tmp_path: Path) -> None:
    store = FileArtifactStore(tmp_path)
    store.put(KEY, b"x")
    assert not store.exists("runs/r1")
    with pytest.raises(ArtifactMissing):
        store.get("runs/r1")
    with pytest.raises(FanfoldError, match="move away the folder"):
        store.put("runs/r1", b"x")


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FanfoldError, match="use a shorter name"):
        FileArtifactStore(tmp_path).put("runs/" + "x" * 300, b"x")
