"""What a command of an attempt leaves that no patch may hold is refused; the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.projects import PLAN, fanfold, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = {
    "name": ("printf x > \"$(printf 'bad\\377name')\"", "bad_name"),
    "link": ("ln -s /etc/passwd link", "symlink_escape"),
    "up": ("ln -s ../../outside link", "symlink_escape"),
    "hook": ("mkdir -p .github/workflows && echo x > .github/workflows/ci.yml", "protected_path"),
    "attributes": ("echo '* merge=union' > .gitattributes", "protected_path"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_patch_is_rejected_and_the_other_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    command, reason = HOSTILE[kind]
    submit = {"calls": [{"name": "submit", "input": {"status": "done", "summary": "x"}}]}
    hostile = [{"calls": [{"name": "bash", "input": {"command": command}}]}, submit]
    script = {
        "attempts": [
            {"task": "Harm", "turns": hostile},
            {"task": "Help", "files": {"good.txt": "good"}, "submit": "x"},
        ]
    }
    (tmp_path / "script.json").write_bytes(msgspec.json.encode(script))
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(tmp_path / "script.json"))
    plan = (
        "# P\n\n## Phase 1: A\n<!-- execution: parallel -->\n\n- [ ] Task: Harm\n- [ ] Task: Help\n"
    )
    root = make_repository(tmp_path / "project", {PLAN: plan})
    words = ("run", PLAN, "--unit", "task", "--budget", "2", "--json", "--no-sandbox")
    ended = fanfold(root, *words)
    assert ended.code == 1, ended.err
    harm, helped = ended.json["tasks"]
    assert (harm["state"], harm["reason"]) == ("rejected", reason)
    assert helped["state"] == "merged"
    files = git(root, "ls-tree", "-r", "--name-only", ended.json["branch"]).split()
    assert files == [PLAN, "good.txt"]
