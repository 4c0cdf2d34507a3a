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


PROTECTED = {
    "workflow": ("mkdir -p .github/workflows && echo x > .github/workflows/ci.yml", ".github"),
    "attributes": ("echo '* merge=union' > .gitattributes", ".gitattributes"),
}


@pytest.mark.parametrize("kind", PROTECTED)
@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_a_protected_path_is_held_for_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, answer: str
) -> None:
    command, path = PROTECTED[kind]
    turns = [
        {"calls": [{"name": "bash", "input": {"command": command}}]},
        {"calls": [{"name": "submit", "input": {"status": "done", "summary": "x"}}]},
    ]
    script = {"attempts": [{"task": "*", "turns": turns}]}
    (tmp_path / "script.json").write_bytes(msgspec.json.encode(script))
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(tmp_path / "script.json"))
    root = make_repository(
        tmp_path / "project", {PLAN: "# P\n\n## Phase 1: A\n\n- [ ] Task: Build\n"}
    )
    words = ("--budget", "2", "--check", "true", "--json", "--no-sandbox")
    ended = fanfold(root, "run", PLAN, *words)
    assert ended.code == 3, ended.out + ended.err
    (gate,) = ended.json["gates"]
    assert (gate["id"], gate["state"]) == ("1.1", "waiting")
    assert path in git(root, *gate["diff"].split()[1:])
    extra = ("--reason", "not now") if answer == "reject" else ()
    assert fanfold(root, answer, ended.json["run"], *extra).code == 0
    ended = fanfold(root, "resume", "--json")
    (task,) = ended.json["tasks"]
    if answer == "approve":
        assert (ended.code, task["state"]) == (0, "merged")
        files = git(root, "ls-tree", "-r", "--name-only", ended.json["branch"])
        assert path in files
    else:
        assert (ended.code, task["state"], task["reason"]) == (1, "rejected", "protected_path")
