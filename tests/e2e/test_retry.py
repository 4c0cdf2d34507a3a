"""A person has a task tried again: failed, conflicted or merged, with a hint or a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap import open_project
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import OPEN_TRACK, letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.fakes.projects import Ended

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--json", "--unit", "task")
BLOCKED = {"name": "submit", "input": {"status": "blocked", "summary": "No idea."}}
HALF = {"name": "write", "input": {"file_path": "half.txt", "content": "half\n"}}
GIVES_UP: dict[str, Any] = {
    "task": "Write beta",
    "turns": [{"calls": [HALF]}, {"calls": [BLOCKED]}],
}


def states(ended: Ended) -> dict[str, str]:
    return {t["id"]: t["state"] for t in ended.json["tasks"]}


def context(root: Path, run: str, attempt: str) -> Any:
    key = f"runs/{run}/attempts/{attempt}/1/context.json"
    return msgspec.json.decode(open_project(root).artifacts.get(key))


def files(root: Path, branch: str) -> set[str]:
    return set(git(root, "ls-tree", "--name-only", branch).split())


def test_a_failed_task_goes_on_from_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, GIVES_UP, *letters())
    root = letters_repository(tmp_path / "project", OPEN_TRACK)
    ended = fanfold(root, *RUN)
    assert (ended.code, states(ended)) == (1, {"1.1": "merged", "1.2": "failed", "2.1": "skipped"})
    run = ended.json["run"]
    play(monkeypatch, tmp_path, *letters())
    again = fanfold(root, "retry", run, "1.2", "--hint", "beta comes second", "--json")
    assert (again.code, set(states(again).values())) == (0, {"merged"}), again.err
    assert {"half.txt", "beta.txt", "gimel.txt"} <= files(root, again.json["branch"])
    told = context(root, run, "1.2.2")
    assert told["hint"] == "beta comes second"
    assert told["continues_tree"]


def test_a_merged_task_is_done_anew_with_another_model_and_so_is_what_was_built_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *letters())
    root = letters_repository(tmp_path / "project", OPEN_TRACK)
    run = fanfold(root, *RUN).json["run"]
    better = {"task": "Write beta", "files": {"beta.txt": "BETA\n"}, "submit": "A capital."}
    play(monkeypatch, tmp_path, better, *letters())
    again = fanfold(root, "retry", "1.2", "--model", "other", "--json")
    assert again.code == 0, again.err
    assert git(root, "show", f"{again.json['branch']}:beta.txt") == "BETA"
    attempts = {t["id"]: t["attempts"] for t in again.json["tasks"]}
    assert attempts == {"1.1": 1, "1.2": 2, "2.1": 2}
    assert context(root, run, "1.2.2")["model"] == "other"
    assert context(root, run, "2.1.2")["model"] != "other"


def test_a_conflict_that_was_given_up_goes_to_the_arbiter_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = [
        {"task": f"Write {word}", "files": {"same.txt": f"{word}\n"}, "submit": "Wrote."}
        for word in ("alpha", "beta")
    ]
    lost = {"task": "Write beta", "purpose": "resolve", "turns": [{"calls": [BLOCKED]}]}
    play(monkeypatch, tmp_path, lost, *same, *letters())
    root = letters_repository(tmp_path / "project", OPEN_TRACK)
    ended = fanfold(root, *RUN)
    assert states(ended)["1.2"] == "conflicted", ended.err
    settle = {"files": {"same.txt": "both\n"}, "submit": "Both."}
    found = {"task": "Write beta", "purpose": "resolve", **settle}
    play(monkeypatch, tmp_path, found, *same, *letters())
    again = fanfold(root, "retry", "1.2", "--json")
    assert (again.code, states(again)["1.2"]) == (0, "merged"), again.err
    assert git(root, "show", f"{again.json['branch']}:same.txt") == "both"


def test_what_cannot_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, tmp_path, GIVES_UP, *letters())
    root = letters_repository(tmp_path / "project", OPEN_TRACK)
    fanfold(root, *RUN)
    for words in (("2.1",), ("9.9",), ("1.2", "--budget", "0.0001")):
        ended = fanfold(root, "retry", *words)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), words
