"""The cap: what it pays, what it does not, who is asked, and going on with a higher one."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from fanfold.run.money import from_dollars
from tests.fakes.projects import fanfold
from tests.fakes.tracks import OPEN_TRACK, command, letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

RUN = ("run", "--check", "true", "--no-sandbox")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / "project", OPEN_TRACK)


def typed(root: Path, words: tuple[str, ...], line: str) -> tuple[int, str]:
    """Exit code and what a terminal shows when `line` is typed into it."""
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        command(root, *words),
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    os.close(inside)
    os.write(terminal, line.encode())
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:  # how Linux says that the other end was closed
        pass
    os.close(terminal)
    return process.wait(), shown.decode()


def test_a_cap_that_pays_only_some_tasks(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha, *others = letters()
    alpha["turns"][-1]["text"] = "so " * 33_000
    play(monkeypatch, tmp_path, alpha, *others)
    monkeypatch.setenv("FANFOLD_LIMITS_ATTEMPT_USD", "0.38")
    ended = fanfold(root, *RUN, "--budget", "0.30", "--json")
    assert (ended.code, ended.json["outcome"]) == (1, "incomplete"), ended.err
    result = ended.json
    told = [(t["state"], t["reason"]) for t in result["tasks"]]
    assert told == [("merged", None), ("failed", "budget"), ("skipped", "dependency_failed")]
    assert from_dollars(result["cost_usd"]) <= from_dollars("0.30")
    assert "80 % of the cap is spent: $0.25" in ended.err
    assert "the cap pays for no more: 1.2 not started" in ended.err
    assert result["next"][-1] == f"fanfold resume {result['run']} --budget 0.60"
    low = fanfold(root, "resume", "--budget", "0.1", "--json")
    assert (low.code, low.out, low.err.count("\n")) == (2, "", 1)
    assert "spent already" in low.err
    assert fanfold(root, "resume", "--json").code == 1
    more = fanfold(root, *result["next"][-1].split()[1:], "--json")
    assert (more.code, more.json["outcome"], more.json["cap_usd"]) == (0, "completed", "0.60")
    assert [t["attempts"] for t in more.json["tasks"]] == [1, 1, 1]


@pytest.mark.parametrize("answer", ["y\n", "1.50\n"])
def test_a_terminal_is_asked_with_the_estimate(
    root: Path, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    code, shown = typed(root, RUN, answer)
    assert code == 0, shown
    assert "3 attempts" in shown
    assert "Run with a cap of $" in shown
    assert "\x1b[?25h" in shown.rpartition("\x1b[?25l")[2]
    cap = fanfold(root, "status", "", "--json").json["cap_usd"]
    assert (cap == "1.50") is (answer != "y\n")


@pytest.mark.parametrize("answer", ["\n", "n\n", "0\n", "lots\n", "\x04"])
def test_a_terminal_that_says_no(root: Path, answer: str) -> None:
    code, shown = typed(root, RUN, answer)
    assert code == 2
    assert "nothing was started" in shown.splitlines()[-1]
    assert fanfold(root, "status", "--json").json["runs"] == []


def test_yes_takes_the_estimate(root: Path) -> None:
    code, shown = typed(root, (*RUN, "--yes"), "")
    assert (code, "[y/N" in shown) == (0, False)
    cap = fanfold(root, "status", "", "--json").json["cap_usd"]
    assert f"the cap is ${cap}" in shown


def test_a_configured_cap(root: Path) -> None:
    (root / "fanfold.toml").write_text("[limits]\nrun_usd = 2.5\n")
    assert fanfold(root, *RUN, "--json").json["cap_usd"] == "2.50"
    assert fanfold(root, *RUN, "--json", "--budget", "$1").json["cap_usd"] == "1.00"
