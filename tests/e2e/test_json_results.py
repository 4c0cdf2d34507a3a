"""The JSON that scripts rely on: keys, types and vocabularies, at every exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.projects import PLAN, fanfold, git
from tests.fakes.shapes import MONEY, OBJECT_ID, assert_shape, one_of
from tests.fakes.tracks import TRACK, letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = one_of(OBJECT_ID, None)
TEXT = one_of(str, None)
PLAN_SHAPE = {
    "schema": "fanfold.plan/1",
    "plan": str,
    "sha256": str,
    "tasks": [
        {
            "id": str,
            "title": str,
            "phase": str,
            "state": one_of("open", "in_progress", "done", "blocked", "skipped"),
            "kind": one_of("work", "check", "bookkeeping", "gate"),
            "unit": TEXT,
            "needs": [str],
            "writes": one_of(None, [str]),
            "line": int,
        }
    ],
    "units": [{"id": str, "tasks": [str]}],
    "waves": [[str]],
    "speedup": float,
    "warnings": [{"line": int, "code": str, "text": str}],
}
RUN_SHAPE = {
    "schema": "fanfold.run/1",
    "run": TEXT,
    "outcome": one_of("completed", "incomplete", "waiting", "cancelled", "failed"),
    "verified": bool,
    "base": COMMIT,
    "tree": COMMIT,
    "branch": TEXT,
    "tasks": [
        {
            "id": str,
            "title": str,
            "kind": one_of("work", "check", "bookkeeping", "gate"),
            "state": one_of(
                "merged", "conflicted", "rejected", "failed", "skipped", "waiting", "done"
            ),
            "unit": TEXT,
            "attempts": int,
            "commit": COMMIT,
            "reason": TEXT,
            "cost_usd": MONEY,
        }
    ],
    "checks": [
        {
            "command": str,
            "ok": bool,
            "baseline_ok": one_of(bool, None),
            "required": bool,
            "flaky": bool,
        }
    ],
    "gates": [
        {
            "id": str,
            "title": str,
            "state": str,
            "diff": TEXT,
            "patch": TEXT,
            "files": int,
            "added": int,
            "removed": int,
            "cost_usd": MONEY,
            "approve": TEXT,
        }
    ],
    "dropped_paths": [str],
    "denied_hosts": [{"host": str, "by": [str], "allow": str}],
    "cost_usd": MONEY,
    "worst_case_usd": MONEY,
    "cap_usd": MONEY,
    "metrics": {
        **dict.fromkeys(("steps", "retries", "tool_calls", "tool_errors", "denied"), int),
        **dict.fromkeys(("repeats", "nudges", "compactions", "tokens_a_step"), int),
        **dict.fromkeys(("input_tokens", "output_tokens"), int),
        "cache_share": float,
    },
    "duration_s": float,
    "next": [str],
}
MERGE_SHAPE = {
    "schema": "fanfold.merge/1",
    "base": OBJECT_ID,
    "tree": OBJECT_ID,
    "patches": [
        {
            "patch": str,
            "state": one_of("applied", "conflicted", "rejected"),
            "paths": [str],
            "reason": TEXT,
            "resolved_by": one_of("git", "structured", None),
        }
    ],
    "checks": [{"command": str, "ok": bool}],
    "blamed": [str],
}
REASONED = frozenset({"failed", "rejected", "conflicted"})
RUN = ("run", "--budget", "5", "--no-sandbox", "--json")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / "project")


def test_plan_json(root: Path) -> None:
    (root / PLAN).write_text(
        TRACK.replace("[ ] Task: Write alpha", "[x] Task: Write alpha 1234567")
    )
    planned = fanfold(root, "plan", "--json")
    assert_shape(planned.json, PLAN_SHAPE)
    assert [t["state"] for t in planned.json["tasks"]] == ["done", "open", "open", "open"]
    lines = TRACK.splitlines()
    for task in planned.json["tasks"]:
        assert "Task:" in lines[task["line"] - 1]
    both = fanfold(root, "plan", PLAN, PLAN, "--json")
    for plan in both.json["plans"]:
        assert_shape(plan, PLAN_SHAPE)


@pytest.mark.parametrize(
    ("words", "part", "code", "outcome"),
    [
        (("--gates", "ask", "--check", "true"), {}, 3, "waiting"),
        (("--phase", "2", "--check", "true"), {}, 0, "completed"),
        (("--phase", "2"), {}, 1, "completed"),
        (("--phase", "2", "--check", "! test -f gimel.txt"), {}, 1, "incomplete"),
        (("--phase", "2"), {"turns": [{"text": "Done."}] * 3}, 3, "waiting"),
        (("--phase", "2"), {"turns": [{"stop_reason": "refusal"}]}, 1, "incomplete"),
    ],
    ids=["gate", "green", "unverified", "red", "no-submit", "refusal"],
)
def test_run_json(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    part: dict[str, object],
    code: int,
    outcome: str,
) -> None:
    if part:
        play(monkeypatch, tmp_path, {"task": "*", **part})
    ended = fanfold(root, *RUN, *words)
    assert ended.code == code, ended.err
    assert_shape(ended.json, RUN_SHAPE)
    result = ended.json
    assert result["outcome"] == outcome
    assert fanfold(root, "status", result["run"], "--json").json == result
    assert [t["id"] for t in result["tasks"]] == ["1.1", "1.2", "1.3", "2.1"]
    assert all(t["reason"] for t in result["tasks"] if t["state"] in REASONED)
    if result["branch"]:
        assert git(root, "rev-parse", f"{result['branch']}^{{tree}}") == result["tree"]
        on_branch = git(root, "rev-list", result["branch"]).split()
        assert all(t["commit"] in on_branch for t in result["tasks"] if t["commit"])


def test_a_plan_that_is_done(root: Path) -> None:
    (root / PLAN).write_text(TRACK.replace("[ ]", "[x]"))
    ended = fanfold(root, *RUN, PLAN)
    assert (ended.code, ended.json["outcome"]) == (0, "completed")
    assert_shape(ended.json, RUN_SHAPE)


def test_a_cancelled_run(root: Path) -> None:
    assert fanfold(root, *RUN).code == 3
    ended = fanfold(root, "cancel", "--json")
    assert_shape(ended.json, RUN_SHAPE)
    assert ended.json["outcome"] == "cancelled"


@pytest.mark.parametrize("words", [(), ("--structured",), ("--check", "true", "--no-sandbox")])
def test_merge_json(root: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    patches: list[str] = []
    for number, text in enumerate(("One\n", "Two\n")):
        (root / "README.md").write_text(text)
        patch = tmp_path / f"{number}.patch"
        patch.write_text(git(root, "diff", "--full-index", "--binary") + "\n")
        patches.append(str(patch))
    (tmp_path / "none.patch").write_text("This is no patch.\n")
    patches.append(str(tmp_path / "none.patch"))
    git(root, "checkout", "-q", "README.md")
    ended = fanfold(root, "merge", "--repo", ".", "--base", "main", "--json", *words, *patches)
    assert ended.code == 1, ended.err
    assert_shape(ended.json, MERGE_SHAPE)
    assert [p["patch"] for p in ended.json["patches"]] == patches
    assert [p["state"] for p in ended.json["patches"]] == ["applied", "conflicted", "rejected"]
    assert git(root, "cat-file", "-t", ended.json["tree"]) == "tree"
    alone = fanfold(root, "merge", "--repo", ".", "--base", "main", "--json", *words, patches[0])
    assert (alone.code, alone.json["tree"]) == (0, ended.json["tree"])
    assert fanfold(root, "merge", "--repo", ".", "--base", "x", "--json", patches[0]).code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", ""),
        ("show",),
        ("show", "", "1.1"),
        ("cost",),
        ("cost", "--by", "role"),
        ("cost", "--by", "model"),
        ("cost", "--by", "day"),
        ("plan",),
        ("estimate",),
        ("doctor",),
        ("init", "--dry-run"),
        ("approve",),
        ("apply",),
        ("clean",),
    ],
    ids=" ".join,
)
def test_every_result_is_one_json_object_with_a_schema(root: Path, words: tuple[str, ...]) -> None:
    assert fanfold(root, *RUN).code == 3
    ended = fanfold(root, *words, "--json")
    assert ended.code in (0, 1), ended.err
    assert ended.json["schema"].startswith("fanfold.")


@pytest.mark.parametrize(
    "words",
    [
        ("status", "x"),
        ("show", "x"),
        ("show", "", "9"),
        ("cost", "x"),
        ("approve", "x"),
        ("reject", "x", "--reason", "y"),
        ("cancel", "x"),
        ("resume", "x"),
        ("apply", "x"),
        ("apply", "--undo"),
        ("clean", "x"),
        ("events", "x"),
        ("watch", "x"),
        ("plan", "x"),
        ("estimate", "x"),
        ("ready", "x"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_one_line_and_no_result(root: Path, words: tuple[str, ...]) -> None:
    for before in ((), RUN):
        if before:
            assert fanfold(root, *before).code == 3
        as_json = () if words[0] == "watch" else ("--json",)
        ended = fanfold(root, *words, *as_json)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), ended
