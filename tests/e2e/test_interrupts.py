"""Stopping a run from outside: Ctrl-C, a polite kill, kill -9, and two who want the same plan."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from fanfold.bootstrap import open_project
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import (
    OPEN_TRACK,
    letters,
    letters_repository,
    play,
    start,
    tools_called,
    until,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose agents write at once and then think for half a minute."""
    play(monkeypatch, tmp_path, *letters("alpha", "beta"))
    return letters_repository(tmp_path / "project", OPEN_TRACK)


@pytest.fixture
def running(root: Path) -> subprocess.Popen[str]:
    """A run whose two attempts have both written their file."""
    process = start(root, *RUN)
    until(lambda: tools_called(root) == 2)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly_and_resume_goes_on_from_the_partial_patch(
    root: Path,
    tmp_path: Path,
    running: subprocess.Popen[str],
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running.send_signal(number)
    out, err = running.communicate(timeout=10)
    assert (running.returncode, out) == (130, "")
    last = err.splitlines()[-1]
    assert last.startswith("fanfold: run ")
    assert "was interrupted; `fanfold resume" in last
    assert fanfold(root, "status", "--json").json["runs"][0]["outcome"] == "interrupted"
    assert "alpha" in fanfold(root, "show", "", "1.1", "--patch").out
    submit = [{"task": f"Write {w}", "submit": "Was written."} for w in ("alpha", "beta")]
    play(monkeypatch, tmp_path, *submit, letters()[2])
    ended = fanfold(root, "resume", "--json")
    assert ended.code == 0, ended.err
    for word in ("alpha", "beta", "gimel"):
        assert git(root, "show", f"{ended.json['branch']}:{word}.txt") == word


def test_a_second_ctrl_c_stops_at_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_LIMITS_COMMAND_S", "60")
    begun = root.parent / "check-begun"
    check = f"touch {begun}; sleep 30"
    process = start(root, "run", "--budget", "5", "--no-sandbox", "--check", check)
    until(begun.exists)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert time.monotonic() - began < 3
    assert "again to stop at once" in err
    assert "Traceback" not in err
    assert "fanfold resume" in err.splitlines()[-1]


def test_after_kill_9_resume_does_not_wait(
    root: Path,
    tmp_path: Path,
    running: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running.kill()
    running.communicate()
    assert fanfold(root, "status", "--json").json["runs"][0]["outcome"] == "interrupted"
    play(monkeypatch, tmp_path, *letters())
    began = time.monotonic()
    ended = fanfold(root, "resume", "--json")
    assert (ended.code, ended.json["verified"]) == (0, True), ended.err
    assert time.monotonic() - began < 10


def test_the_same_plan_twice_at_once(root: Path, running: subprocess.Popen[str]) -> None:
    try:
        for words in (RUN, (*RUN, "--json"), ("resume",), ("resume", "--json")):
            second = fanfold(root, *words)
            assert (second.code, second.out, second.err.count("\n")) == (2, "", 1), second
            assert "already" in second.err
        assert running.poll() is None
        assert len(fanfold(root, "status", "--json").json["runs"]) == 1
        assert fanfold(root, "status", "--json").json["runs"][0]["outcome"] == "running"
    finally:
        running.terminate()
        _, err = running.communicate(timeout=10)
    assert "interrupted" in err


def test_cancel_stops_a_run_that_another_process_drives(
    root: Path, running: subprocess.Popen[str]
) -> None:
    assert "told to stop" in fanfold(root, "cancel").out
    out, _ = running.communicate(timeout=10)
    assert running.returncode == 4
    assert "cancelled" in out
    assert fanfold(root, "status", "--json").json["runs"][0]["outcome"] == "cancelled"
    assert fanfold(root, "cancel", "--json").code == 2


SLEEPY = "echo begun >begun.txt; sleep 60; echo ended >ended.txt"


@pytest.fixture
def sleeping(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[subprocess.Popen[str]]:
    """A run whose one attempt is in the middle of a command of a minute."""
    call = {"name": "bash", "input": {"command": SLEEPY, "timeout_ms": 60_000}}
    play(monkeypatch, tmp_path, {"task": "*", "turns": [{"calls": [call]}]})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    process = start(root, *RUN)
    until(lambda: list((tmp_path / "cache").glob("fanfold/workspaces/*/*/tree/begun.txt")))
    yield process
    process.kill()


def test_a_signal_ends_a_running_command_and_keeps_what_it_did(
    root: Path, sleeping: subprocess.Popen[str]
) -> None:
    began = time.monotonic()
    sleeping.send_signal(signal.SIGINT)
    _, err = sleeping.communicate(timeout=10)
    assert sleeping.returncode == 130, err
    assert time.monotonic() - began < 5
    patch = fanfold(root, "show", "", "1.1", "--patch").out
    assert "begun" in patch
    assert "ended" not in patch
    assert contained(root) == ["stopped"] * 2


def test_cancel_ends_a_running_command(root: Path, sleeping: subprocess.Popen[str]) -> None:
    began = time.monotonic()
    fanfold(root, "cancel")
    sleeping.communicate(timeout=10)
    assert sleeping.returncode == 4
    assert time.monotonic() - began < 8
    assert "begun" in fanfold(root, "show", "", "1.1", "--patch").out


def test_a_signal_ends_a_running_check(root: Path, tmp_path: Path) -> None:
    words = ("run", "--budget", "5", "--no-sandbox", "--check", f"touch {tmp_path}/c; sleep 60")
    process = start(root, *words)
    until(lambda: (tmp_path / "c").exists())
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130, err
    assert time.monotonic() - began < 5
    assert fanfold(root, "status", "--json").json["runs"][0]["outcome"] == "interrupted"


def test_cancel_ends_a_running_check(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *letters())
    checked = f"test -e {tmp_path}/c && sleep 60; touch {tmp_path}/c"
    process = start(root, "run", "--budget", "5", "--no-sandbox", "--check", checked)
    until(lambda: (tmp_path / "c").exists())
    until(lambda: tools_called(root) >= 4)
    time.sleep(0.5)
    began = time.monotonic()
    fanfold(root, "cancel")
    out, err = process.communicate(timeout=20)
    assert process.returncode == 4, (out, err)
    assert time.monotonic() - began < 10


def contained(root: Path) -> list[str]:
    """What sandboxes did to commands of attempts, by kind."""
    events = open_project(root).events
    attempts = [s for s in events.streams("run/") if "/attempt/" in s]
    every = (e for s in attempts for e in events.read(s))
    return [e.data["kind"] for e in every if e.event_type == "command_contained"]


def test_money_of_a_call_that_was_cut_off_is_explained(
    root: Path, tmp_path: Path, running: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running.kill()
    running.communicate()
    play(monkeypatch, tmp_path, *letters())
    done = fanfold(root, "resume", "--json")
    assert done.code == 0, done.err
    unsure = done.json["worst_case_usd"]
    assert 0 < float(unsure) < float(done.json["cost_usd"])
    line = f"${unsure} of it are calls that were cut off before they told what they took"
    for words in (("status", done.json["run"]), ("cost",)):
        assert line in fanfold(root, *words).out
    assert fanfold(root, "cost", "--json").json["worst_case_usd"] == unsure
