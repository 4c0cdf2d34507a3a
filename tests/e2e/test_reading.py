"""Looking at runs: the log, patches, reports and costs; also after their artifacts are gone."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from fanfold.run.money import from_dollars
from tests.fakes.messages_api import refused_url
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import OPEN_TRACK, command, letters, letters_repository, play, start

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--json")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / "project", OPEN_TRACK)


@pytest.fixture
def ran(root: Path) -> Any:
    """A run that has completed."""
    ended = fanfold(root, *RUN)
    assert ended.code == 0, ended.err
    return ended.json


def test_events_are_the_log(root: Path, ran: Any) -> None:
    lines = [msgspec.json.decode(line) for line in fanfold(root, "events").out.splitlines()]
    assert [e["version"] for e in lines] == list(range(1, len(lines) + 1))
    assert {e["stream"] for e in lines} == {f"run/{ran['run']}"}
    assert lines[0]["event_type"] == "run_requested"
    assert lines[-1]["event_type"] == "run_completed"
    followed = fanfold(root, "events", "--follow", "--attempts").out.splitlines()
    assert len(followed) > len(lines)


def test_a_reader_that_goes_away_is_no_error(root: Path, ran: Any) -> None:
    for words in (("events", "--attempts"), ("show", "", "1.1", "--transcript"), ("--help",)):
        process = start(root, *words)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait() == 0, (words, ran)


def test_a_shown_patch_applies(root: Path, ran: Any) -> None:
    for words in (("", "1.1"), ("", "1.1.1"), (ran["run"][:3], "2.1"), ()):
        process = start(root, "show", *words, "--patch")
        patch, _ = process.communicate()
        assert process.returncode == 0
        git(root, "apply", "--check", "-", data=patch.encode())


def test_a_patch_is_shown_byte_by_byte(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "image").write_bytes(bytes(range(256)) * 8)
    (root / "latin").write_bytes(b"caf\xe9\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "bytes")
    work = [{"name": "bash", "input": {"command": "rm image; printf 'th\\351\\n' > latin"}}]
    done = [{"name": "submit", "input": {"status": "done", "summary": "Done."}}]
    play(monkeypatch, tmp_path, {"task": "*", "turns": [{"calls": work}, {"calls": done}]})
    assert fanfold(root, *RUN, "--only", "1.1").code == 0
    for words in (("show", "", "1.1"), ("show",)):
        shown = subprocess.run(command(root, *words, "--patch"), capture_output=True, check=True)
        assert b"+th\xe9\n" in shown.stdout
        git(root, "apply", "--check", "-", data=shown.stdout)


def test_show_tells_of_the_run_and_of_its_attempts(root: Path, ran: Any) -> None:
    report = fanfold(root, "show").out
    assert f"# Run {ran['run']}: completed" in report
    assert "| 1.1 | Write alpha | merged |" in report
    attempt = fanfold(root, "show", "", "1.2").out
    assert "1.2.1 (implementer, work): submitted" in attempt
    assert "Wrote beta." in attempt
    assert "changed beta.txt" in attempt
    transcript = fanfold(root, "show", "", "1.2", "--transcript").out
    assert all(msgspec.json.decode(line) for line in transcript.splitlines())


def test_costs_add_up(root: Path, ran: Any) -> None:
    for by in ("task", "role", "model", "day"):
        for run in ((), (ran["run"],)):
            costs = fanfold(root, "cost", *run, "--by", by, "--json").json
            assert costs["cost_usd"] == ran["cost_usd"]
            rows = [from_dollars(row["cost_usd"]) for row in costs["rows"]]
            assert sum(rows) == from_dollars(ran["cost_usd"])
            assert len(rows) == (3 if by == "task" else 1)
        assert f"total ${ran['cost_usd']}" in fanfold(root, "cost", "--by", by).out


def test_clean_keeps_what_was_and_what_it_cost(root: Path, ran: Any) -> None:
    def told() -> list[str]:
        words = (("status",), ("status", "", "--json"), ("cost",), ("events",))
        return [fanfold(root, *w).out for w in words]

    before = told()
    cleaned = fanfold(root, "clean", "--json")
    assert (cleaned.code, cleaned.json["runs"]) == (0, [ran["run"]])
    assert cleaned.json["files"] > 0
    assert told() == before
    assert git(root, "show", f"{ran['branch']}:alpha.txt") == "alpha"
    assert fanfold(root, "clean", "--json").json["runs"] == []
    patch = fanfold(root, "show", "", "1.1", "--patch")
    assert patch.err.count("\n") == 1
    assert "its report is not there" in fanfold(root, "show", "", "1.1").out
    assert fanfold(root, "apply").code == 0


def test_a_run_is_named_by_a_unique_prefix(root: Path, ran: Any) -> None:
    second = fanfold(root, *RUN, "--only", "1.1").json["run"]
    for run in (ran["run"], second):
        prefix = next(run[:n] for n in range(1, 10) if not _both(run[:n], ran["run"], second))
        assert fanfold(root, "status", prefix, "--json").json["run"] == run
    assert fanfold(root, "status", "", "--json").code == 2
    assert fanfold(root / "conductor", "show", "--json").json["run"] == second
    assert [r["run"] for r in fanfold(root, "status", "--json").json["runs"]] == [
        ran["run"],
        second,
    ]


def _both(prefix: str, *runs: str) -> bool:
    return all(run.startswith(prefix) for run in runs)


def test_a_cleaned_run_cannot_go_on_and_a_failed_one_is_spared(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = {"task": "*", "turns": [{"stop_reason": "refusal"}]}
    play(monkeypatch, tmp_path, refusing)
    run = fanfold(root, *RUN).json["run"]
    assert fanfold(root, "clean", "--json").json["runs"] == [run]
    resumed = fanfold(root, "resume", "--json")
    assert (resumed.code, resumed.out) == (2, "")
    assert "was cleaned" in resumed.err
    monkeypatch.delenv("FANFOLD_MODEL_SCRIPT")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-" + "a-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", refused_url())
    monkeypatch.setenv("FANFOLD_LIMITS_ATTEMPTS", "1")
    failed = fanfold(root, *RUN, "--only", "1.1")
    assert (failed.code, failed.json["outcome"]) == (5, "failed")
    assert fanfold(root, "clean", "--json").json["runs"] == []
    assert fanfold(root, "clean", failed.json["run"], "--json").json["files"] > 0
