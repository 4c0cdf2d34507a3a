"""A recorded patch as tool calls: played on its base, they give what the patch gives."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.local.patch_replay import replay_patch
from fanfold.errors import InvalidPatch
from fanfold.patch.apply import apply_hunks
from fanfold.patch.read import read_patch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.adapters.local.script import Turn

TRACK = Path(__file__).parents[4] / "shared/data/replay/copilot-integration"
HEADER = "diff --git a/{0} b/{0}\nindex {1}..{2} 100644\n--- a/{0}\n+++ b/{0}\n"

NOTHING: dict[str, bytes] = {}


def changed(path: str, *hunks: str) -> bytes:
    return (HEADER.format(path, "1" * 40, "2" * 40) + "".join(hunks)).encode()


def play(turns: Sequence[Turn], files: dict[str, bytes]) -> dict[str, bytes]:
    """What the agent's own tools would do to `files`."""
    after = dict(files)
    for call in (call for turn in turns for call in turn.calls):
        path = call.input.get("file_path", "")
        if call.name == "write":
            after[path] = call.input["content"].encode()
        if call.name == "edit":
            old, new = call.input["old_string"].encode(), call.input["new_string"].encode()
            assert after[path].count(old) == 1
            after[path] = after[path].replace(old, new)
    return after


def names(turns: Sequence[Turn]) -> list[str]:
    return [call.name for turn in turns for call in turn.calls]


def test_unique_hunks_become_edits_after_a_read() -> None:
    base = {"a.txt": b"one\ntwo\nthree\nfour\nfive\nsix\nseven\n"}
    patch = changed(
        "a.txt", "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n", "@@ -6,2 +6,3 @@\n six\n seven\n+eight\n"
    )
    turns = replay_patch(base.get, patch)
    assert names(turns) == ["read", "edit", "edit", "submit"]
    assert play(turns, base)["a.txt"] == b"one\nTWO\nthree\nfour\nfive\nsix\nseven\neight\n"


def test_hunk_with_an_ambiguous_old_side_becomes_a_write() -> None:
    base = {"a.txt": b"x\ny\nx\ny\n"}
    turns = replay_patch(base.get, changed("a.txt", "@@ -3,2 +3,2 @@\n x\n-y\n+z\n"))
    assert names(turns) == ["read", "write", "submit"]
    assert play(turns, base)["a.txt"] == b"x\ny\nx\nz\n"


def test_new_executable_file_is_written_and_made_executable() -> None:
    patch = (
        f"diff --git a/run.sh b/run.sh\nnew file mode 100755\nindex {'0' * 40}..{'2' * 40}\n"
        "--- /dev/null\n+++ b/run.sh\n@@ -0,0 +1 @@\n+echo hi\n\\ No newline at end of file\n"
    ).encode()
    turns = replay_patch(NOTHING.get, patch)
    assert names(turns) == ["write", "bash", "submit"]
    assert play(turns, {})["run.sh"] == b"echo hi"
    assert turns[1].calls[0].input == {"command": "chmod +x -- run.sh"}


def test_removed_file_is_removed_by_the_shell() -> None:
    patch = (
        f"diff --git a/it's b/it's\ndeleted file mode 100644\nindex {'1' * 40}..{'0' * 40}\n"
        "--- a/it's\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"
    ).encode()
    turns = replay_patch({"it's": b"gone\n"}.get, patch)
    assert names(turns) == ["bash", "submit"]
    assert turns[0].calls[0].input == {"command": """rm -- 'it'"'"'s'"""}


def test_patch_that_does_not_fit_its_base_is_refused() -> None:
    patch = changed("a.txt", "@@ -1 +1 @@\n-one\n+two\n")
    with pytest.raises(InvalidPatch, match="hunk_mismatch"):
        replay_patch({"a.txt": b"other\n"}.get, patch)
    with pytest.raises(InvalidPatch, match="no such file"):
        replay_patch(NOTHING.get, patch)
    assert names(replay_patch(NOTHING.get, patch, leave_out={"a.txt"})) == ["submit"]


def test_content_that_is_no_text_is_refused() -> None:
    patch = changed("a.bin", "@@ -1 +1 @@\n-one\n+two\n")
    with pytest.raises(InvalidPatch, match="not_text"):
        replay_patch({"a.bin": b"\xff\xfe\n"}.get, patch)


@pytest.mark.skipif(not TRACK.is_dir(), reason="the real track is not on this machine")
def test_real_track_is_replayed_to_the_byte() -> None:
    files: dict[str, bytes] = {}
    with tarfile.open(TRACK / "base.tar.gz") as base:
        for member in base:
            if (data := base.extractfile(member)) is not None:
                files[member.name.removeprefix("./")] = data.read()
    for patch in sorted((TRACK / "patches").iterdir()):
        plans = {p for p in read_patch(patch.read_bytes()).paths if p.endswith("plan.md")}
        turns = replay_patch(files.get, patch.read_bytes(), leave_out=plans)
        after = play(turns, files)
        for change in read_patch(patch.read_bytes()).changes:
            if change.path not in plans:
                before = files.get(change.path, b"")
                assert after[change.path] == apply_hunks(before, change.hunks, change.path)
        files = after
