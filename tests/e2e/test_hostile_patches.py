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


def test_a_secret_is_refused_and_left_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "AKIA" + "Q3EGRZZ7M2NVKLTX"
    turns = [
        {
            "calls": [
                {"name": "bash", "input": {"command": f"echo 'aws_key = \"{secret}\"' > c.py"}}
            ]
        },
        {"calls": [{"name": "bash", "input": {"command": "cat c.py"}}]},
        {
            "calls": [
                {"name": "submit", "input": {"status": "done", "summary": f"Put {secret} in."}}
            ]
        },
    ]
    script = {"attempts": [{"task": "*", "turns": turns}]}
    (tmp_path / "script.json").write_bytes(msgspec.json.encode(script))
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(tmp_path / "script.json"))
    root = make_repository(
        tmp_path / "project", {PLAN: "# P\n\n## Phase 1: A\n\n- [ ] Task: Leak\n"}
    )
    ended = fanfold(root, "run", PLAN, "--budget", "2", "--json", "--no-sandbox")
    (task,) = ended.json["tasks"]
    assert (task["state"], task["reason"]) == ("rejected", "secret")
    kept = [f for f in (root / ".ai-workspace").rglob("*") if f.is_file()]
    assert [f for f in kept if secret.encode() in f.read_bytes()] == []
    assert any(b"redacted:" in f.read_bytes() for f in kept if f.name == "patch.diff")
    assert secret not in ended.out + ended.err
