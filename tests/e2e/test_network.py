"""Commands reach no host but those allowed; a denied one is shown with the line to allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fanfold.bootstrap import no_sandbox_because, open_project
from tests.fakes.projects import PLAN, fanfold, git, make_repository
from tests.fakes.serving import greeting
from tests.fakes.tracks import play

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(no_sandbox_because() is not None, reason=no_sandbox_because() or "")

TASKS = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write a file\n"
LOOK = "getent hosts packages.example.com || echo none >a.txt"
FETCH = "curl -sS --noproxy '' http://localhost:{port}/ >a.txt 2>&1; cat a.txt"
DONE = {"calls": [{"name": "submit", "input": {"status": "done", "summary": "Looked."}}]}


@pytest.fixture
def port() -> Iterator[int]:
    with greeting() as number:
        yield number


def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, settings: str = "") -> Any:
    """A run whose one agent runs `command` and submits; gives the project's root and its end."""
    turns = [{"calls": [{"name": "bash", "input": {"command": command}}]}, DONE]
    play(monkeypatch, tmp_path, {"task": "*", "turns": turns})
    root = make_repository(tmp_path / "project", {PLAN: TASKS, "fanfold.toml": settings})
    return root, fanfold(root, "run", PLAN, "--budget", "1", "--json", "--check", "true")


def test_a_denied_host_is_shown_with_the_line_that_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, ended = run(monkeypatch, tmp_path, LOOK)
    line = '[network] allow = ["packages.example.com"]'
    denied = [{"host": "packages.example.com", "by": ["1.1.1"], "allow": line}]
    assert ended.json["denied_hosts"] == denied
    for words in (("status", ended.json["run"]), ("show",), ("show", "", "1.1")):
        assert line in fanfold(root, *words).out, words
    attempts = open_project(root).events
    stream = next(s for s in attempts.streams("run/") if "/attempt/" in s)
    told = [e.data for e in attempts.read(stream) if e.event_type == "command_contained"]
    assert told == [{"kind": "host", "subject": "packages.example.com"}]


def test_an_allowed_host_is_reached_and_the_model_hears_of_a_denied_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    settings = f'[network]\nallow = ["localhost:{port}"]\n'
    root, ended = run(monkeypatch, tmp_path, FETCH.format(port=port), settings)
    assert git(root, "show", f"{ended.json['branch']}:a.txt") == "hello"
    assert ended.json["denied_hosts"] == []


def test_a_role_has_a_list_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    settings = f'[network]\nallow = ["localhost:{port}"]\n[roles.implementer]\nnetwork = []\n'
    root, ended = run(monkeypatch, tmp_path, FETCH.format(port=port), settings)
    assert "hello" not in git(root, "show", f"{ended.json['branch']}:a.txt")
    other = f'[roles.implementer]\nnetwork = ["localhost:{port}", "host.example"]\n'
    (root / "fanfold.toml").write_text(other)
    git(root, "commit", "-qam", "other")
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json", "--check", "true")
    assert git(root, "show", f"{ended.json['branch']}:a.txt") == "hello"


def test_the_model_is_told_what_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = '[network]\nallow = ["files.example.com"]\n'
    root, _ = run(monkeypatch, tmp_path, LOOK, settings)
    told = fanfold(root, "show", "", "1.1", "--transcript").out
    assert "not reached: packages.example.com; hosts that commands may reach: files.ex" in told
    assert "Hosts that your commands reach: files.example.com" in told


def test_what_prepare_was_kept_from_is_told_with_the_line_that_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    command = "curl -sS https://packages.example.com/"
    settings = f'[prepare]\ncommands = ["{command}"]\nnetwork = ["other.example.com"]\n'
    root = make_repository(tmp_path / "project", {PLAN: TASKS, "fanfold.toml": settings})
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json")
    assert ended.code == 5
    assert '[prepare] network = ["packages.example.com"]' in ended.json["error"]


def test_show_tells_what_was_denied_by_its_rule_and_contained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(name: str, **given: str) -> dict[str, object]:
        return {"calls": [{"name": name, "input": given}]}

    plan_file = call("write", file_path=PLAN, content="x")
    turns = [
        *(plan_file, plan_file, call("read", file_path="/etc/passwd")),
        call("bash", command="touch /usr/x"),
        call("submit", status="done", summary="Tried."),
    ]
    play(monkeypatch, tmp_path, {"task": "*", "turns": turns})
    root = make_repository(tmp_path / "project", {PLAN: TASKS})
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json")
    assert ended.code in (0, 1), ended.err
    shown = fanfold(root, "show", "", "1.1").out.splitlines()
    assert f"  denied write {PLAN}: control_file (2 times)" in shown
    assert "  denied read /etc/passwd: path" in shown
    assert any(line.startswith("  contained refused: ") and "/usr/x" in line for line in shown)
    (attempt,) = fanfold(root, "show", "", "1.1", "--json").json["attempts"]
    assert attempt["access"]["operations"] == ["read", "run", "submit", "write"]
    assert attempt["access"]["hosts"] == []
