"""Several tracks as one batch: funded by one cap, run side by side, folded into one result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.bootstrap import open_project
from tests.fakes.batches import BATCH, all_letters, plan_path, tracks_repository, writes
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import play

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.projects import Ended

ALL = (*BATCH, "--budget", "20")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *all_letters())
    return tracks_repository(tmp_path / "project")


def tracks(ended: Ended) -> dict[str, str]:
    return {t["id"]: t["state"] for t in ended.json["tracks"]}


def files(root: Path, branch: str) -> set[str]:
    names = git(root, "ls-tree", "-r", "--name-only", branch).split()
    return {name for name in names if name.endswith(".txt")}


def test_all_open_tracks_end_in_one_tested_result(root: Path) -> None:
    ended = fanfold(root, *ALL)
    assert ended.code == 0, ended.err
    batch = ended.json
    assert (batch["outcome"], batch["verified"]) == ("completed", True)
    assert tracks(ended) == {"first": "merged", "second": "merged", "third": "merged"}
    assert [run["track"] for run in batch["runs"]] == ["first", "second", "third"]
    assert batch["branch"] == f"fanfold/{batch['batch']}/all"
    assert batch["tree"] == git(root, "rev-parse", f"{batch['branch']}^{{tree}}")
    assert files(root, batch["branch"]) == {"alpha.txt", "gimel.txt", "delta.txt"}
    assert "$20.00 fund 3 tracks" in ended.err


def test_every_commit_that_a_plan_names_lies_on_the_branch(root: Path) -> None:
    batch = fanfold(root, *ALL).json
    reachable = git(root, "rev-list", batch["branch"]).split()
    for run in batch["runs"]:
        plan = git(root, "show", f"{batch['branch']}:{run['plan']}")
        assert "[ ]" not in plan
        for task in run["tasks"]:
            assert task["commit"] in reachable
            assert task["commit"][:7] in plan


def test_the_list_of_tracks_is_marked_and_nothing_else_of_it_changes(root: Path) -> None:
    before = git(root, "show", "main:conductor/tracks.md")
    batch = fanfold(root, *ALL).json
    after = git(root, "show", f"{batch['branch']}:conductor/tracks.md")
    assert after == before.replace("[ ]", "[x]")


def test_apply_and_undo_take_the_whole_batch(root: Path) -> None:
    batch = fanfold(root, *ALL).json["batch"]
    before = git(root, "rev-parse", "HEAD")
    applied = fanfold(root, "apply", batch, "--json")
    assert (applied.code, applied.json["how"]) == (0, "fast_forward")
    assert (root / "delta.txt").read_text() == "delta\n"
    assert fanfold(root, "apply", "--undo").code == 0
    assert git(root, "rev-parse", "HEAD") == before
    assert not (root / "delta.txt").exists()


def test_a_dependent_builds_on_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [writes(w) for w in ("alpha", "beta", "gimel")]
    edit = {"name": "edit", "input": {"file_path": "gimel.txt", "old_string": "gimel"}}
    edit["input"] |= {"new_string": "gimel and delta"}  # type: ignore[operator]
    read = {"name": "read", "input": {"file_path": "gimel.txt"}}
    done = {"name": "submit", "input": {"status": "done", "summary": "Wrote delta."}}
    turns = [{"calls": [read]}, {"calls": [edit]}, {"calls": [done]}]
    play(monkeypatch, tmp_path, {"task": "Write delta", "turns": turns}, *parts)
    root = tracks_repository(tmp_path / "project", needs={"third": ["second"]})
    ended = fanfold(root, *ALL)
    assert ended.code == 0, ended.err
    assert git(root, "show", f"{ended.json['branch']}:gimel.txt") == "gimel and delta"


def test_a_dependent_of_two_builds_on_their_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    root = tracks_repository(tmp_path / "project", needs={"third": ["first", "second"]})
    ended = fanfold(root, *ALL)
    assert ended.code == 0, ended.err
    run = next(r for r in ended.json["runs"] if r["track"] == "third")
    base = git(root, "ls-tree", "-r", "--name-only", run["base"]).split()
    assert {"alpha.txt", "gimel.txt"} <= set(base)


def test_a_failed_track_stops_only_what_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gives_up = {"name": "submit", "input": {"status": "blocked", "summary": "No way."}}
    broken = {"task": "Write gimel", "turns": [{"calls": [gives_up]}]}
    play(monkeypatch, tmp_path, broken, *all_letters())
    root = tracks_repository(tmp_path / "project", needs={"third": ["second"]})
    ended = fanfold(root, *ALL)
    assert ended.code == 1
    assert tracks(ended) == {"first": "merged", "second": "incomplete", "third": "skipped"}
    third = ended.json["tracks"][2]
    assert (third["reason"], third["run"]) == ("dependency_failed", None)
    skipped = ended.json["runs"][2]["tasks"]
    assert [(t["state"], t["reason"]) for t in skipped] == [("skipped", "dependency_failed")]
    assert files(root, ended.json["branch"]) == {"alpha.txt"}


CLASH = [
    writes("alpha", {"same.txt": "alpha\n"}),
    writes("beta"),
    writes("gimel", {"same.txt": "gimel\n"}),
    writes("delta"),
]
SETTLE: dict[str, Any] = {
    "task": "*",
    "purpose": "resolve",
    "files": {"same.txt": "alpha and gimel\n"},
    "submit": "Both.",
}


def test_a_conflict_goes_to_the_arbiter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, tmp_path, *CLASH, SETTLE)
    root = tracks_repository(tmp_path / "project")
    ended = fanfold(root, *ALL)
    assert ended.code == 0, ended.err
    assert git(root, "show", f"{ended.json['branch']}:same.txt") == "alpha and gimel"
    second = ended.json["fold"]["tasks"][1]
    assert (second["state"], second["attempts"]) == ("merged", 2)


def test_a_conflict_that_nobody_settles_leaves_its_track_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *CLASH)
    root = tracks_repository(tmp_path / "project")
    ended = fanfold(root, *ALL)
    assert ended.code == 1
    assert tracks(ended) == {"first": "merged", "second": "conflicted", "third": "merged"}
    assert git(root, "show", f"{ended.json['branch']}:same.txt") == "alpha"
    assert "[ ] **Track: Second" in git(root, "show", f"{ended.json['branch']}:conductor/tracks.md")


def test_tracks_that_are_red_together_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    root = tracks_repository(tmp_path / "project")
    check = "! (test -e alpha.txt && test -e delta.txt)"
    words = [w for w in ALL if w not in ("--check", "true")]
    ended = fanfold(root, *words, "--check", check)
    assert ended.code == 1
    assert tracks(ended)["first"] == "merged"
    assert tracks(ended)["third"] == "rejected"
    assert files(root, ended.json["branch"]) == {"alpha.txt", "gimel.txt"}


def test_a_cap_that_funds_only_some_says_which(root: Path) -> None:
    ended = fanfold(root, *BATCH, "--budget", "0.5")
    assert ended.code in (0, 1)
    assert "does not fit: second" in ended.err
    assert float(ended.json["cost_usd"]) <= 0.5


def test_what_does_not_fit_is_listed_with_what_would_pay_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_LIMITS_ATTEMPT_USD", "10")
    play(monkeypatch, tmp_path, *all_letters())
    tasks = "".join(f"- [ ] Task: Write delta {n}\n" for n in range(40))
    big = f"# Third\n\n## Phase 1: Letters\n\n{tasks}"
    root = tracks_repository(tmp_path / "project", files={})
    (root / plan_path("third")).write_text(big)
    git(root, "commit", "-qam", "big")
    ended = fanfold(root, *BATCH, "--budget", "1", "--unit", "task", "--check", "true")
    assert ended.code == 1, ended.err
    third = ended.json["tracks"][2]
    assert (third["state"], third["reason"], third["run"]) == ("skipped", "budget", None)
    assert float(third["need_usd"]) > 1
    assert any("--budget" in command for command in ended.json["next"])
    assert fanfold(root, "status", ended.json["batch"], "--json").json == ended.json


def test_a_cap_that_funds_nothing_starts_nothing(root: Path) -> None:
    ended = fanfold(root, *BATCH, "--budget", "0.01")
    assert (ended.code, ended.out, "pays for none" in ended.err) == (2, "", True)
    assert open_project(root).events.streams("") == []


def test_gates_are_deferred_and_the_batch_goes_on_when_they_are_approved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    root = tracks_repository(tmp_path / "project", gated=["first"], needs={"third": ["first"]})
    ended = fanfold(root, *ALL, "--gates", "defer")
    assert ended.code == 3, ended.err
    assert tracks(ended) == {"first": "waiting", "second": "merged", "third": "merged"}
    (gate,) = [g for g in ended.json["gates"] if g["state"] == "waiting"]
    assert f"fanfold approve {gate['run']} {gate['id']}" in ended.json["next"]
    assert "[~] **Track: First" in git(root, "show", f"{ended.json['branch']}:conductor/tracks.md")
    batch = ended.json["batch"]
    assert fanfold(root, "approve", batch).code == 0
    last = fanfold(root, "resume", batch, "--json")
    assert (last.code, set(tracks(last).values())) == (0, {"merged"})
    assert "[x] **Track: First" in git(root, "show", f"{last.json['branch']}:conductor/tracks.md")


def test_a_gate_that_is_asked_stops_only_its_track(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    root = tracks_repository(tmp_path / "project", gated=["first"], needs={"third": ["first"]})
    ended = fanfold(root, *ALL)
    assert ended.code == 3, ended.err
    assert tracks(ended) == {"first": "waiting", "second": "merged", "third": "waiting"}
    assert fanfold(root, "approve").code == 0
    last = fanfold(root, "resume", "--json")
    assert (last.code, set(tracks(last).values())) == (0, {"merged"})


def test_bad_choices(root: Path) -> None:
    for words, told in (
        (("--only", "1.1"), "--only"),
        (("--phase", "1"), "--phase"),
    ):
        ended = fanfold(root, *ALL, *words)
        assert (ended.code, ended.out, told in ended.err) == (2, "", True)


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ({"first": ["second"], "second": ["first"]}, "circle"),
        ({"first": ["nowhere"]}, "nowhere"),
    ],
)
def test_dependencies_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs: dict[str, list[str]], told: str
) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    root = tracks_repository(tmp_path / "project", needs=needs)
    ended = fanfold(root, *ALL)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert told in ended.err


def test_a_need_outside_the_batch_must_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    root = tracks_repository(tmp_path / "project", needs={"third": ["first"]})
    words = ("--budget", "9", "--no-sandbox", "--json")
    ended = fanfold(root, "run", "--track", "second", "--track", "third", *words)
    assert (ended.code, "--track first" in ended.err) == (2, True)
    done = (root / plan_path("first")).read_text().replace("[ ]", "[x]")
    (root / plan_path("first")).write_text(done)
    ended = fanfold(root, "run", "--track", "second", "third", *words)
    assert ended.json["outcome"] == "completed", ended.err


def test_plans_by_path_and_nothing_left_to_do(root: Path) -> None:
    words = ("--budget", "9", "--no-sandbox", "--json", "--check", "true")
    ended = fanfold(root, "run", plan_path("second"), plan_path("third"), *words)
    assert tracks(ended) == {"second": "merged", "third": "merged"}
    fanfold(root, "apply")
    again = fanfold(root, "run", plan_path("second"), plan_path("third"), *words)
    assert (again.code, again.json["batch"], again.json["outcome"]) == (0, None, "completed")


def test_commands_find_a_batch_and_its_runs(root: Path) -> None:
    batch = fanfold(root, *ALL).json
    name, run = batch["batch"], batch["runs"][0]["run"]
    assert fanfold(root, "status", name[:5], "--json").json == batch
    assert fanfold(root, "show", "--json").json == batch
    assert name in fanfold(root, "show").out
    assert "first" in fanfold(root, "watch").out
    assert fanfold(root, "show", run, "1.1").code == 0
    assert fanfold(root, "show", name, "1.1").code == 2
    assert b"delta" in fanfold(root, "show", name, "--patch").out.encode()
    costs = fanfold(root, "cost", name, "--json").json
    assert costs["cost_usd"] == batch["cost_usd"]
    listed = fanfold(root, "status", "--json").json
    assert [b["batch"] for b in listed["batches"]] == [name]
    events = fanfold(root, "events", name).out.splitlines()
    types = [msgspec.json.decode(line)["event_type"] for line in events]
    assert types[0] == "batch_requested"
    assert "run_completed" in types
    refused = fanfold(root, "resume", run)
    assert (refused.code, name in refused.err) == (2, True)
    assert fanfold(root, "clean", name, "--json").json["runs"]
    assert fanfold(root, "resume", name).code == 0


def test_dry_run_writes_nothing(root: Path) -> None:
    ended = fanfold(root, "run", "--all-open", "--dry-run", "--budget", "9", "--no-sandbox")
    assert (ended.code, "dry run" in ended.out) == (0, True)
    assert not (root / ".ai-workspace").exists()
