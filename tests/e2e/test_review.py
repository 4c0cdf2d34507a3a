"""`fanfold run --review`: a patch is looked at, sent back once, mended and merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.projects import PLAN, fanfold, git
from tests.fakes.tracks import letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ONE = "# Letters\n\n## Phase 1: Greek\n\n- [ ] Task: Write alpha\n"
RUN = ("run", PLAN, "--budget", "5", "--no-sandbox", "--json", "--check", "true", "--review")


def call(name: str, **given: Any) -> dict[str, Any]:
    return {"calls": [{"name": name, "input": given}]}


def write(text: str) -> dict[str, Any]:
    return call("write", file_path="alpha.txt", content=text)


DONE = call("submit", status="done", summary="Wrote alpha.")


def test_a_patch_is_sent_back_once_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = letters_repository(tmp_path / "project", ONE)
    findings = "alpha.txt:1: must end in beta"
    back = call("submit", status="done", summary=findings, choice="send_back")
    play(
        monkeypatch,
        tmp_path,
        {"task": "Write alpha", "purpose": "work", "number": 1, "turns": [write("alpha"), DONE]},
        {
            "task": "Write alpha",
            "purpose": "review",
            "turns": [call("read", file_path="alpha.txt"), write("mine"), back],
        },
        {
            "task": "Write alpha",
            "purpose": "work",
            "number": 3,
            "turns": [write("alpha beta"), DONE],
        },
    )
    ended = fanfold(root, *RUN)
    assert ended.code == 0, ended.err
    assert git(root, "show", f"{ended.json['branch']}:alpha.txt") == "alpha beta"
    (task,) = ended.json["tasks"]
    assert task["attempts"] == 3
    shown = fanfold(root, "show", "", "1.1", "--json").json["attempts"]
    assert [(a["role"], a["purpose"], a["outcome"]) for a in shown] == [
        ("implementer", "work", "submitted"),
        ("reviewer", "review", "picked"),
        ("implementer", "work", "submitted"),
    ]
    assert shown[1]["detail"] == findings
    opening = fanfold(root, "show", "", "1.1.3", "--transcript").out
    assert findings in opening
    looked = fanfold(root, "show", "", "1.1.2", "--transcript").out
    assert "1\\talpha" in looked
    assert "Summary: Wrote alpha." in looked
    assert "Judge it against" in looked
