"""`plan --split`: an agent proposes signs; the user sees a diff, and decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.fakes.projects import PLAN, fanfold, git
from tests.fakes.tracks import letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

TRACK = """\
# Letters

## Phase 1: Greek

- [ ] Task: Write alpha
- [ ] Task: Write beta
"""
GOOD = {"1.1": {"files": ["alpha.txt"]}, "1.2": {"depends": [], "files": ["beta.txt"]}}
BAD = {"1.2": {"depends": ["7.7"]}}


def proposing(*proposals: Any) -> dict[str, Any]:
    """The part of a script that writes each of these and submits it."""
    turns: list[dict[str, Any]] = []
    for each in proposals:
        text = each if isinstance(each, str) else msgspec.json.encode(each).decode()
        wrote = {"name": "write", "input": {"file_path": "signs.json", "content": text}}
        done = {"name": "submit", "input": {"status": "done", "summary": "Proposed."}}
        turns.append({"calls": [wrote, done]})
    return {"task": "split", "turns": turns}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return letters_repository(tmp_path / "project", TRACK)


def test_a_proposal_is_a_diff_that_git_takes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, proposing(GOOD))
    ended = fanfold(root, "plan", "--split", "--unit", "task")
    assert ended.code == 0, ended.err
    assert "1.0x → 2.0x" in ended.err
    assert (root / PLAN).read_text() == TRACK
    git(root, "apply", "-", data=ended.out.encode())
    assert fanfold(root, "plan", "--unit", "task", "--json").json["waves"] == [["1.1", "1.2"]]


def test_yes_writes_it(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, tmp_path, proposing(GOOD))
    told = fanfold(root, "plan", "--split", "--unit", "task", "--yes", "--json").json
    assert (told["written"], told["speedup"]) == (True, {"before": 1.0, "after": 2.0})
    assert float(told["cost_usd"]) > 0
    assert "<!-- depends: none -->" in (root / PLAN).read_text()
    rows = fanfold(root, "cost", "--json").json
    assert (len(rows["rows"]), rows["cost_usd"]) == (1, told["cost_usd"])


def test_what_does_not_fit_goes_back(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, proposing("{", BAD, GOOD))
    assert fanfold(root, "plan", "--split", "--unit", "task", "--json").json["speedup"]["after"] > 1


@pytest.mark.parametrize(
    ("proposals", "said"),
    [((BAD,) * 4, "7.7"), ((), "no_submit|turns"), (("[]",) * 4, "signs.json")],
)
def test_nothing_changes_without_a_fitting_one(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    proposals: tuple[Any, ...],
    said: str,
) -> None:
    play(monkeypatch, tmp_path, proposing(*proposals))
    ended = fanfold(root, "plan", "--split", "--unit", "task", "--yes")
    assert (ended.code, ended.out) == (1, "")
    assert any(word in ended.err for word in said.split("|"))
    assert (root / PLAN).read_text() == TRACK


def test_the_cap_holds(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, tmp_path, proposing(GOOD))
    ended = fanfold(root, "plan", "--split", "--unit", "task", "--budget", "0.001")
    assert ended.code == 1
    assert "for $0.00:" in ended.err


def test_the_proposal_is_all_that_it_may_write(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote = {"name": "write", "input": {"file_path": "README.md", "content": "mine"}}
    good = proposing(GOOD)
    play(monkeypatch, tmp_path, {**good, "turns": [{"calls": [wrote]}, *good["turns"]]})
    assert fanfold(root, "plan", "--split", "--unit", "task").code == 0
    denied = [line for line in fanfold(root, "events").out.splitlines() if "README" in line]
    assert git(root, "status", "--short", "--", "README.md") == ""
    assert denied == [] or '"allowed":false' in denied[0]


def test_one_unit_is_nothing_to_split(root: Path) -> None:
    ended = fanfold(root, "plan", "--split", "--unit", "phase")
    assert ended.code == 2
    assert "nothing to split" in ended.err
