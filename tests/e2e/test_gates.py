"""People and runs: gates are asked, approved, rejected and deferred, and runs are cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from fanfold.bootstrap import open_project
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.fakes.projects import Ended

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--json")
REASON = "beta must be a capital"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / "project")


@pytest.fixture
def waiting(root: Path) -> Any:
    """A run that waits at its gate."""
    ended = fanfold(root, *RUN)
    assert ended.code == 3, ended.err
    return ended.json


def states(ended: Ended) -> dict[str, str]:
    return {t["id"]: t["state"] for t in ended.json["tasks"]}


def test_a_run_stops_at_a_gate_with_what_it_has(root: Path, waiting: Any) -> None:
    assert waiting["outcome"] == "waiting"
    run, (gate,) = waiting["run"], waiting["gates"]
    assert (gate["id"], gate["state"]) == ("1.3", "waiting")
    diff = git(root, *gate["diff"].split()[1:])
    assert "alpha.txt" in diff
    patch = open_project(root).artifacts.get(gate["patch"])
    assert patch.decode().strip() == git(root, *gate["diff"].split()[1:], "--full-index")
    assert (gate["files"], gate["added"], gate["removed"]) == (2, 2, 0)
    paid = sum(float(t["cost_usd"]) for t in waiting["tasks"])
    assert 0 < float(gate["cost_usd"]) == pytest.approx(paid)
    assert gate["approve"] == waiting["next"][0]
    assert waiting["next"][0] == f"fanfold approve {run} 1.3"
    assert git(root, "show", f"{waiting['branch']}:beta.txt") == "beta"
    assert fanfold(root, "status", run, "--json").json == waiting
    assert fanfold(root, "resume", run, "--json").code == 3


def test_approve_and_resume(root: Path, waiting: Any) -> None:
    approved = fanfold(root, "approve", waiting["run"][:4], "--json")
    assert (approved.code, approved.json["gates"][0]["state"]) == (0, "approved")
    ended = fanfold(root, "resume", "--json")
    assert (ended.code, set(states(ended).values())) == (0, {"merged", "done"})
    assert fanfold(root, "approve", "--json").code == 2


def test_reject_starts_the_phase_again_and_tells_the_agents_why(
    root: Path, tmp_path: Path, waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = waiting["run"]
    assert fanfold(root, "reject", run, "1.3").code == 2
    rejected = fanfold(root, "reject", run, "1.3", "--reason", REASON)
    assert (rejected.code, "reopened: 1.1, 1.2" in rejected.out) == (0, True)
    better = {"task": "Write beta", "files": {"beta.txt": "BETA\n"}, "submit": "A capital."}
    play(monkeypatch, tmp_path, better, *letters())
    ended = fanfold(root, "resume", run, "--json")
    assert (ended.code, states(ended)["1.2"]) == (3, "merged")
    assert git(root, "show", f"{ended.json['branch']}:beta.txt") == "BETA"
    context = open_project(root).artifacts.get(f"runs/{run}/attempts/1.2.2/1/context.json")
    told = msgspec.json.decode(context)
    assert REASON in context.decode()
    base = told["base_tree"]
    assert git(root, "ls-tree", "--name-only", base).split() == ["README.md", "conductor"]
    assert fanfold(root, "approve").code == 0
    assert fanfold(root, "resume").code == 0


def test_a_gate_that_does_not_wait(root: Path, waiting: Any) -> None:
    for words in (
        ("approve", "", "1.1"),
        ("approve", "", "9"),
        ("reject", "", "9", "--reason", ""),
    ):
        ended = fanfold(root, *words)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "1.3" in ended.err
    assert fanfold(root, "status", waiting["run"], "--json").json["outcome"] == "waiting"


def test_deferred_gates_are_listed_at_the_end(root: Path) -> None:
    ended = fanfold(root, *RUN, "--gates", "defer")
    assert ended.code == 3
    assert states(ended) == {"1.1": "merged", "1.2": "merged", "1.3": "waiting", "2.1": "merged"}
    assert [g["state"] for g in ended.json["gates"]] == ["waiting"]
    assert fanfold(root, "approve").code == 0
    last = fanfold(root, "resume", "--json")
    assert (last.code, last.json["outcome"]) == (0, "completed")


def test_people_are_shown_what_each_deferred_gate_judges(root: Path) -> None:
    ended = fanfold(root, *RUN[:-1], "--gates", "defer")
    assert ended.code == 3
    (line,) = [line for line in ended.out.splitlines() if line.startswith("gate 1.3 waiting")]
    assert "2 files, +2 -0, $0.0" in line
    assert "look: git diff" in line
    report = fanfold(root, "show").out
    assert "gate 1.3 waiting" in report
    assert "`fanfold approve" in report


def test_a_run_that_waits_can_be_cancelled(root: Path, waiting: Any) -> None:
    ended = fanfold(root, "cancel", "--json")
    assert (ended.code, ended.json["outcome"]) == (0, "cancelled")
    assert ended.json["branch"] == waiting["branch"]
    assert states(ended)["1.1"] == "merged"
    assert states(ended)["2.1"] == "skipped"
    assert fanfold(root, "cancel").code == 2


def test_a_cancelled_run_goes_on_when_it_is_resumed(root: Path, waiting: Any) -> None:
    fanfold(root, "cancel")
    ended = fanfold(root, "resume", waiting["run"], "--json")
    assert ended.code == 3
    assert states(ended)["1.1"] == "merged"


@pytest.mark.parametrize("let_in", [True, False])
def test_a_held_patch_is_let_in_or_kept_out(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, let_in: bool
) -> None:
    file = ".github/workflows/ci.yml"
    protected = {"task": "Write alpha", "files": {file: "on: push\n"}, "submit": "CI."}
    play(monkeypatch, tmp_path, protected, *letters())
    held = fanfold(root, *RUN, "--only", "1.1", "1.2")
    assert (held.code, states(held)["1.1"], states(held)["1.2"]) == (3, "waiting", "merged")
    words = ("approve",) if let_in else ("reject", "--reason", "no CI yet")
    answered = fanfold(root, *words)
    assert (answered.code, "the patch of 1.1" in answered.out) == (0, True)
    ended = fanfold(root, "resume", "--json")
    assert ended.code == (0 if let_in else 1), ended.err
    assert states(ended)["1.1"] == ("merged" if let_in else "rejected")
    kept = git(root, "ls-tree", "-r", "--name-only", ended.json["branch"]).split()
    assert (file in kept) is let_in
