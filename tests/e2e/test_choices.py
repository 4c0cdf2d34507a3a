"""The options of `fanfold run`: what is run, from where, how wide, and what is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from fanfold.bootstrap import open_project
from tests.fakes.projects import PLAN, fanfold, git
from tests.fakes.tracks import OPEN_TRACK, letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--json")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / "project", OPEN_TRACK)


def files(root: Path, branch: str) -> set[str]:
    return set(git(root, "ls-tree", "--name-only", branch).split())


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (("--only", "1.2"), {"beta.txt"}),
        (("--only", "1.1", "2.1"), {"alpha.txt", "gimel.txt"}),
        (("--phase", "1"), {"alpha.txt", "beta.txt"}),
        (("--phase", "2"), {"gimel.txt"}),
    ],
)
def test_a_part_of_the_plan(root: Path, words: tuple[str, ...], written: set[str]) -> None:
    ended = fanfold(root, *RUN, *words)
    assert (ended.code, ended.json["outcome"]) == (0, "completed"), ended.err
    assert files(root, ended.json["branch"]) == {"README.md", "conductor", *written}
    assert len(ended.json["tasks"]) == 3
    left = [t for t in ended.json["tasks"] if t["reason"] == "not_selected"]
    assert {t["state"] for t in left} == {"skipped"}
    assert len(left) == 3 - len(written)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "7.7"), "7.7"),
        (("--phase", "7"), "its phases: 1, 2"),
        (("--candidates", "0"), "above 0"),
        (("--concurrency", "many"), "above 0"),
        (("--base", "nowhere"), "nowhere"),
        (("--unit", "line"), "line"),
        (("--track", "nine"), "one"),
        (("--include-dirty", "--base", "HEAD"), "--base"),
    ],
)
def test_a_choice_that_is_none(root: Path, words: tuple[str, ...], said: str) -> None:
    ended = fanfold(root, *RUN, *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), ended
    assert said in ended.err
    assert fanfold(root, "status", "--json").json["runs"] == []


def test_candidates_and_the_arbiter_that_picks_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def candidate(number: int) -> dict[str, object]:
        wrote = {"beta.txt": f"beta {number}\n"}
        return {"task": "Write beta", "number": number, "files": wrote, "submit": "Written."}

    choice = {"status": "done", "summary": "The second.", "choice": "1.2.2"}
    pick = {
        "task": "Write beta",
        "purpose": "pick",
        "turns": [{"calls": [{"name": "submit", "input": choice}]}],
    }
    play(monkeypatch, tmp_path, candidate(1), candidate(2), pick)
    ended = fanfold(root, *RUN, "--only", "1.2", "--candidates", "2")
    assert ended.code == 0, ended.err
    assert git(root, "show", f"{ended.json['branch']}:beta.txt") == "beta 2"
    assert [t["attempts"] for t in ended.json["tasks"]] == [0, 3, 0]


def test_one_attempt_at_once(root: Path) -> None:
    ended = fanfold(root, *RUN, "--concurrency", "1")
    assert ended.code == 0
    lines = fanfold(root, "events", "--attempts").out.splitlines()
    events = sorted(map(msgspec.json.decode, lines), key=lambda e: e["timestamp"])
    kinds = [e["event_type"] for e in events]
    work = [k for k in kinds if k in ("attempt_claimed", "attempt_ended")]
    assert work == ["attempt_claimed", "attempt_ended"] * 3


def test_a_phase_in_one_attempt(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"alpha.txt": "a\n", "beta.txt": "b\n"}
    play(monkeypatch, tmp_path, {"task": "1.1", "files": both, "submit": "Both."}, *letters())
    ended = fanfold(root, *RUN, "--unit", "phase")
    assert ended.code == 0, ended.err
    assert [t["unit"] for t in ended.json["tasks"]] == ["1.1", "1.1", "2.1"]
    assert [t["attempts"] for t in ended.json["tasks"]] == [1, 1, 1]


def test_an_older_base(root: Path) -> None:
    base = git(root, "rev-parse", "HEAD")
    (root / "later.txt").write_text("later\n")
    git(root, "add", "later.txt")
    git(root, "commit", "-q", "-m", "later")
    ended = fanfold(root, *RUN, "--base", "HEAD~1")
    assert (ended.code, ended.json["base"]) == (0, base)
    assert "later.txt" not in files(root, ended.json["branch"])


def test_a_dirty_tree_is_left_out_or_taken_in_and_never_touched(root: Path) -> None:
    (root / "README.md").write_text("Changed\n")
    (root / "new.txt").write_text("new\n")
    git(root, "add", "new.txt")
    before = git(root, "status", "--porcelain"), git(root, "diff", "HEAD")
    without = fanfold(root, *RUN, "--phase", "1")
    taken = fanfold(root, *RUN, "--phase", "1", "--include-dirty")
    assert (without.code, taken.code) == (0, 0)
    assert "2 uncommitted changes are left out" in without.err
    assert "new.txt" not in files(root, without.json["branch"])
    assert git(root, "show", f"{taken.json['branch']}:README.md") == "Changed"
    assert "new.txt" in files(root, taken.json["branch"])
    status = git(root, "status", "--porcelain").replace("?? .ai-workspace/", "").strip()
    assert (status, git(root, "diff", "HEAD")) == before


@pytest.mark.parametrize("words", [(), ("--json",), ("--phase", "1"), ("--budget", "3")])
def test_a_dry_run_writes_nothing(root: Path, words: tuple[str, ...]) -> None:
    def everything() -> dict[str, bytes]:
        found = (p for p in root.rglob("*") if p.is_file())
        return {str(p): p.read_bytes() for p in found if p.name != "index"}

    before = everything()
    ended = fanfold(root, "run", "--no-sandbox", "--dry-run", *words)
    assert ended.code == 0
    assert "1.1" in ended.out
    assert ("2.1 (" in ended.out) is (words != ("--phase", "1") and words != ("--json",))
    assert everything() == before


def test_a_plan_named_from_a_subfolder(root: Path) -> None:
    folder = root / "conductor" / "tracks"
    for words in (("one/plan.md",), (PLAN,), (str(root / PLAN),), ("--track", "one"), ()):
        planned = fanfold(folder, "plan", *words, "--json")
        assert (planned.code, planned.json["plan"]) == (0, PLAN), words
    for words in (("plan.md",), ("../one/plan.md",)):
        planned = fanfold(root, "plan", *words, "-C", str(folder / "one"), "--json")
        assert (planned.code, planned.json["plan"]) == (0, PLAN), words
    assert fanfold(root, "plan", "plan.md").code == 2


def test_every_option_is_kept_in_the_request(root: Path) -> None:
    ended = fanfold(root, *RUN, "--model", "claude-haiku-5-5", "--parallel", "infer")
    request = open_project(root).artifacts.get(f"runs/{ended.json['run']}/base.json")
    options = msgspec.json.decode(request)["options"]
    assert (options["model"], options["parallel"]) == ("claude-haiku-5-5", "infer")
    assert (options["sandbox"], options["gates"]) == (False, "ask")
