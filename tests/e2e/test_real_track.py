"""A real track of the Conductor repository, replayed.

The scripted model makes the recorded changes.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from fanfold.adapters.local.patch_replay import replay_patch
from fanfold.adapters.local.script import use
from fanfold.patch.read import read_patch
from tests.fakes.projects import fanfold, git

if TYPE_CHECKING:
    from fanfold.adapters.local.script import Turn

DATA = Path(__file__).parents[3] / "shared" / "data" / "replay" / "copilot-integration"
TRACK = "conductor/tracks/copilot_integration_20251223"
PLAN = f"{TRACK}/plan.md"
TASKS = ("1.1", "1.2", "2.1", "2.2", "2.3", "3.1", "3.2")
GATES = ("1.3", "2.4", "3.3")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded track is not here")


def _patches() -> list[bytes]:
    return [p.read_bytes() for p in sorted((DATA / "patches").iterdir())]


def _base(root: Path) -> Path:
    with tarfile.open(DATA / "base.tar.gz") as archive:
        archive.extractall(root)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "-m", "base")
    return root


def _recorded_tree(tmp_path: Path) -> str:
    """What git makes of all seven patches."""
    root = _base(tmp_path / "recorded")
    for patch in _patches():
        changes = read_patch(patch)
        kept = [f"--include={p}" for p in changes.paths if p != PLAN]
        git(root, "apply", "--index", *kept, "-", data=patch)
    return git(root, "write-tree")


def _tick_the_plan() -> tuple[Turn, ...]:
    """As the real agent did: first with a tool, which is denied, then with the shell."""
    task = "Task: Create a high-level task list for the PoC implementation."
    return (
        use("edit", file_path=PLAN, old_string=f"[ ] {task}", new_string=f"[x] {task} (d1e3f8c)"),
        use("bash", command=f"sed -i 's/. . {task}/[x] {task} (d1e3f8c)/' {PLAN}"),
    )


def _script(root: Path) -> bytes:
    def read(path: str) -> bytes | None:
        file = root / path
        return file.read_bytes() if file.is_file() else None

    attempts: list[dict[str, object]] = []
    for task, patch in zip(TASKS, _patches(), strict=True):
        turns: tuple[Turn, ...] = replay_patch(read, patch, leave_out=[PLAN])
        if PLAN in read_patch(patch).paths:
            turns = (*turns[:-1], *_tick_the_plan(), turns[-1])
        attempts.append({"task": task, "turns": turns})
    return msgspec.json.encode({"attempts": attempts})


def test_the_replayed_track_ends_in_the_recorded_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _base(tmp_path / "project")
    script = tmp_path / "script.json"
    script.write_bytes(_script(root))
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(script))

    ended = fanfold(root, "run", PLAN, "--unit", "task", "--budget", "5", "--json", "--no-sandbox")
    for gate in GATES:
        assert ended.code == 3, ended.err
        assert fanfold(root, "approve", ended.json["run"], gate).code == 0
        ended = fanfold(root, "resume", "--json")

    result = ended.json
    assert result["outcome"] == "completed"
    assert {t["id"]: t["state"] for t in result["tasks"]} == {
        **dict.fromkeys(TASKS, "merged"),
        **dict.fromkeys(GATES, "done"),
    }
    branch = result["branch"]
    plan = git(root, "show", f"{branch}:{PLAN}")
    commits = {t["id"]: t["commit"] for t in result["tasks"]}
    for task in TASKS:
        assert commits[task][:7] in plan
    assert "[ ]" not in plan
    assert "d1e3f8c" not in plan
    assert result["dropped_paths"] == [PLAN]
    git(root, "read-tree", branch)
    git(
        root,
        "update-index",
        "--cacheinfo",
        f"100644,{git(root, 'rev-parse', f'main:{PLAN}')},{PLAN}",
    )
    assert git(root, "write-tree") == _recorded_tree(tmp_path)
