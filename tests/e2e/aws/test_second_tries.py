"""A person tries a task again, or settles a conflict, of a run in the cloud."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.hosted import hosted
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import OPEN_TRACK, clashing, letters, letters_repository, play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.hosted import Host
    from tests.fakes.projects import Ended

RUN = ("run", "--budget", "5", "--check", "true", "--json", "--unit", "task", "--engine", "aws")
BLOCKED = {"name": "submit", "input": {"status": "blocked", "summary": "No idea."}}
HALF = {"name": "write", "input": {"file_path": "half.txt", "content": "half\n"}}
GIVES_UP: dict[str, Any] = {
    "task": "Write beta",
    "turns": [{"calls": [HALF]}, {"calls": [BLOCKED]}],
}
GATED = """\
# Letters

## Phase 1: Greek

- [ ] Task: Write alpha
- [ ] Task: Conductor - User Manual Verification 'Greek' (Protocol in workflow.md)

## Phase 2: Hebrew

- [ ] Task: Write gimel
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with (
        pytest.MonkeyPatch.context() as patch,
        hosted(tmp_path_factory.mktemp("account"), patch) as opened,
    ):
        yield opened


def states(ended: Ended) -> dict[str, str]:
    return {t["id"]: t["state"] for t in ended.json["tasks"]}


def kinds(root: Path) -> list[str]:
    lines = fanfold(root, "events").out.splitlines()
    return [line.split('"event_type":"')[1].split('"')[0] for line in lines]


def test_a_failed_task_is_tried_again_with_a_hint(
    account: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, GIVES_UP, *letters())
    root = letters_repository(tmp_path / tmp_path.name, OPEN_TRACK)
    ended = fanfold(root, *RUN)
    assert (ended.code, states(ended)) == (1, {"1.1": "merged", "1.2": "failed", "2.1": "skipped"})
    assert account.containers.errors == []
    for words in (("2.1",), ("9.9",), ("1.2", "--budget", "0.0001")):
        refused = fanfold(root, "retry", *words)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1), words
    play(monkeypatch, tmp_path, *letters())
    again = fanfold(root, "retry", "1.2", "--hint", "beta is second", "--budget", "8", "--json")
    assert (again.code, set(states(again).values())) == (0, {"merged"}), again.err + again.out
    assert again.json["cap_usd"] == "8.00"
    files = git(root, "ls-tree", "--name-only", again.json["branch"]).split()
    assert {"half.txt", "beta.txt", "gimel.txt"} <= set(files)
    told = [kind for kind in kinds(root) if kind in ("retry_requested", "run_resumed")]
    assert told == ["retry_requested", "run_resumed"]


def test_a_task_is_tried_again_while_the_run_waits_at_a_gate(
    account: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *letters())
    root = letters_repository(tmp_path / tmp_path.name, GATED)
    waiting = fanfold(root, *RUN)
    assert (waiting.code, waiting.json["outcome"]) == (3, "waiting"), waiting.err
    better = {"task": "Write alpha", "files": {"alpha.txt": "ALPHA\n"}, "submit": "A capital."}
    play(monkeypatch, tmp_path, better, *letters())
    again = fanfold(root, "retry", "1.1", "--budget", "8", "--json")
    assert (again.code, again.json["outcome"]) == (3, "waiting"), again.err + again.out
    assert (again.json["cap_usd"], again.json["tasks"][0]["attempts"]) == ("8.00", 2)
    assert git(root, "show", f"{again.json['branch']}:alpha.txt") == "ALPHA"
    assert fanfold(root, "approve").code == 0
    done = fanfold(root, "resume", "--json")
    assert (done.code, done.json["outcome"]) == (0, "completed"), done.err
    assert account.containers.errors == []


def test_a_conflict_is_settled_by_hand(
    account: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *clashing())
    root = letters_repository(tmp_path / tmp_path.name, OPEN_TRACK)
    ended = fanfold(root, *RUN)
    assert states(ended)["1.2"] == "conflicted", ended.err
    opened = fanfold(root, "resolve", "1.2", "--json").json
    folder = Path(opened["folder"])
    assert opened["paths"] == ["same.txt"]
    assert "|||||||" in (folder / "same.txt").read_text()
    assert "markers are left" in fanfold(root, "resolve", "1.2", "--continue").err
    (folder / "same.txt").write_text("alpha and beta\n")
    done = fanfold(root, "resolve", "1.2", "--continue", "--json")
    assert (done.code, set(states(done).values())) == (0, {"merged"}), done.err + done.out
    assert git(root, "show", f"{done.json['branch']}:same.txt") == "alpha and beta"
    assert not folder.exists()
    assert account.containers.errors == []
