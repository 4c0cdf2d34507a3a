"""Six real tracks of the Conductor repository as one batch, and a cap that funds some of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import play

DATA = Path(__file__).parents[3] / "shared/data/conductor/gemini-cli-extensions__conductor"
TRACKS = [f"issue_{number}_20260223" for number in (96, 97, 103, 108, 112, 115)]
WORDS = ("--check", "true", "--gates", "defer", "--no-sandbox", "--json")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real tracks are not here")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository as it was before anybody had worked on the tracks."""
    note = {"task": "*", "files": {"notes.md": "Done as asked.\n"}, "submit": "Written."}
    play(monkeypatch, tmp_path, note)
    root = tmp_path / "project"
    shutil.copytree(DATA, root)
    for track in TRACKS:
        plan = root / "conductor" / "tracks" / track / "plan.md"
        plan.write_text(plan.read_text("utf-8").replace("- [x]", "- [ ]"), "utf-8")
    listed = root / "conductor" / "tracks.md"
    text = listed.read_text("utf-8")
    for track in TRACKS:
        text = text.replace(f"- [x] {track}", f"- [ ] {track}")
    listed.write_text(text, "utf-8")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "-m", "base")
    return root


def chosen() -> list[str]:
    return [word for track in TRACKS for word in ("--track", track)]


def test_six_real_tracks_end_in_one_result(root: Path) -> None:
    ended = fanfold(root, "run", *chosen(), "--budget", "100", *WORDS)
    assert ended.code == 0, ended.err
    batch = ended.json
    assert [t["id"] for t in batch["tracks"]] == TRACKS
    assert {t["state"] for t in batch["tracks"]} == {"merged"}
    for run in batch["runs"]:
        assert "[ ]" not in git(root, "show", f"{batch['branch']}:{run['plan']}")
    before = git(root, "show", "main:conductor/tracks.md")
    after = git(root, "show", f"{batch['branch']}:conductor/tracks.md")
    assert before != after
    assert after == before.replace("[ ]", "[x]")


def test_a_cap_funds_whole_tracks_in_order(root: Path) -> None:
    needs = fanfold(root, "estimate", *chosen(), "--json").json["plans"]
    likely = float(needs[0]["dollars"]["likely"])
    cap = f"{2.5 * likely:.2f}"
    rehearsed = fanfold(root, "run", *chosen(), "--budget", cap, "--dry-run", "--no-sandbox")
    assert "fund 2 tracks" in rehearsed.err
    assert rehearsed.err.count("does not fit") == 4
    ended = fanfold(root, "run", *chosen(), "--budget", cap, *WORDS)
    spent = sum(float(run["cost_usd"]) for run in ended.json["runs"])
    assert spent <= float(cap)
    funded = [t["id"] for t in ended.json["tracks"] if t["run"]]
    assert funded == TRACKS[: len(funded)]
