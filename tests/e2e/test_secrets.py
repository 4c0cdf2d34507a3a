"""A secret that turns up anywhere in a run is in nothing that the run writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.bootstrap import no_sandbox_because
from tests.fakes.projects import PLAN, fanfold, git, make_repository
from tests.fakes.tracks import play

if TYPE_CHECKING:
    from collections.abc import Iterator

LETTERS = "Q7XKD3WZPLB5TNVR"
HEX = "9f3c1be07a5d48e2b6c01d7f4a93e85c"
SECRET, LOW = "AKIA" + LETTERS, "dapi" + HEX
TASKS = """\
# Plan

## Phase 1: One
<!-- execution: parallel -->

- [ ] Task: Write a file
- [ ] Task: Write a key
"""
SETTINGS = """\
[checks]
unit = ["cat seed.txt; test -e looked"]
run = ["cat seed.txt", { command = "cat seed.txt; false", required = false }]
"""
COMMAND = (
    f"echo {SECRET}; cat seed.txt; cat /proc/1/{SECRET} /root/{SECRET}; echo x >/usr/{SECRET};"
    f" getent hosts {LOW}.example.com; touch looked"
)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "input": arguments}


DONE = {"status": "done", "summary": f"Found {SECRET}.", "confidence": f"as {SECRET}"}
TALKS = [
    {"text": f"I see {SECRET}", "calls": [call("read", file_path="seed.txt")]},
    {"calls": [call("grep", pattern="AKIA")]},
    {"calls": [call("edit", file_path="seed.txt", old_string=f"no {SECRET}", new_string="x")]},
    {"calls": [call("read", file_path=f"missing/{SECRET}")]},
    {"calls": [call("write", file_path=f"{SECRET}.log", content="ignored\n")]},
    {"calls": [call(SECRET)]},
    {"calls": [call("submit", **DONE)]},
    {"calls": [call("bash", command=COMMAND)]},
    {"calls": [call("write", file_path="a.txt", content="a\n")]},
    {"calls": [call("submit", **DONE)]},
]
ADDS = [
    {"calls": [call("write", file_path="key.txt", content=f"key = {SECRET}\n")]},
    {"calls": [call("bash", command="touch looked")]},
    {"calls": [call("submit", **DONE)]},
]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(
        monkeypatch,
        tmp_path,
        {"task": "Write a file", "turns": TALKS},
        {"task": "Write a key", "turns": ADDS},
    )
    return make_repository(
        tmp_path / "project",
        {
            PLAN: TASKS,
            "seed.txt": f"{SECRET}\n{LOW}\n",
            "AGENTS.md": f"The key is {SECRET}\n",
            str(Path(PLAN).with_name("spec.md")): f"# Spec\n\nUse {SECRET}\n",
            ".gitignore": "looked\n*.log\n",
            "fanfold.toml": SETTINGS,
        },
    )


def kept_secrets(root: Path) -> list[Path]:
    """The files of a run that hold a secret, or are named by one."""
    return [
        file.relative_to(root)
        for file in written(root)
        for secret in (SECRET, LOW)
        if secret.encode() in file.read_bytes() or secret in file.name
    ]


def written(root: Path) -> Iterator[Path]:
    """Everything that a run leaves below the repository and beside git's own objects."""
    places = (root / ".ai-workspace", root / ".git" / "logs", root / ".git" / "refs")
    for place in places:
        yield from (file for file in place.rglob("*") if file.is_file())


def test_secrets_are_in_no_event_transcript_report_or_patch(root: Path) -> None:
    contained = () if no_sandbox_because() is None else ("--no-sandbox",)
    ended = fanfold(root, "run", PLAN, "--budget", "5", "--json", *contained)
    states = [(task["state"], task["reason"]) for task in ended.json["tasks"]]
    assert states == [("merged", None), ("rejected", "secret")], ended.err
    assert kept_secrets(root) == []
    told = "".join(
        fanfold(root, *words).out
        for words in (
            ("status", ended.json["run"]),
            ("show",),
            ("show", "", "1.1", "--transcript"),
            ("show", "", "1.2", "--patch"),
            ("events", "--attempts"),
        )
    )
    assert "redacted:" in told
    for text in (told, ended.out, ended.err):
        assert SECRET not in text
        assert LOW not in text
    branch = ended.json["branch"]
    assert SECRET not in git(root, "log", "-p", f"HEAD..{branch}", "--notes")
    assert "key.txt" not in git(root, "ls-tree", "-r", "--name-only", branch)


def test_what_a_reviewer_says_tells_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = call("write", file_path="a.txt", content="a\n")
    found = {"status": "done", "summary": f"seed.txt:1 has {SECRET}", "choice": "send_back"}
    play(
        monkeypatch,
        tmp_path,
        {
            "task": "Write a file",
            "purpose": "review",
            "turns": [{"calls": [call("submit", **found)]}],
        },
        {
            "task": "Write a file",
            "turns": [{"calls": [writes]}, {"calls": [call("submit", **DONE)]}],
        },
    )
    plan = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write a file\n"
    root = make_repository(tmp_path / "project", {PLAN: plan, "seed.txt": f"{SECRET}\n"})
    ended = fanfold(root, "run", PLAN, "--budget", "5", "--json", "--no-sandbox", "--review")
    assert [task["attempts"] for task in ended.json["tasks"]] == [3], ended.err
    assert kept_secrets(root) == []
    told = fanfold(root, "show", "", "1.1").out + fanfold(root, "show").out
    assert "seed.txt:1 has «redacted:aws_access_key»" in told
    log = git(root, "log", "-p", f"HEAD..{ended.json['branch']}", "--notes=*")
    assert "«redacted:aws_access_key»" in log
    assert SECRET not in told + log


def test_the_sides_of_a_conflict_tell_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [
        {
            "task": f"Write {word}",
            "turns": [
                {"calls": [call("edit", file_path="seed.txt", old_string="x", new_string=word)]},
                {"calls": [call("submit", **DONE)]},
            ],
        }
        for word in ("alpha", "beta")
    ]
    play(monkeypatch, tmp_path, *parts)
    plan = "# Plan\n\n## Phase 1: One\n<!-- execution: parallel -->\n\n"
    plan += "- [ ] Task: Write alpha\n- [ ] Task: Write beta\n"
    root = make_repository(tmp_path / "project", {PLAN: plan, "seed.txt": f"{SECRET}\nx\n"})
    ended = fanfold(root, "run", PLAN, "--budget", "5", "--json", "--no-sandbox")
    assert "conflicts in seed.txt" in ended.err
    records = [f for f in kept_secrets(root) if f.suffix not in {".diff", ".patch", ".pack"}]
    assert records == []


def test_a_plan_that_holds_a_secret_is_not_run(root: Path) -> None:
    (root / PLAN).write_text(f"{TASKS}- [ ] Task: Use {SECRET}\n")
    ended = fanfold(root, "run", PLAN, "--budget", "5", "--no-sandbox")
    assert ended.code == 2
    assert ended.err.strip() == (
        f"fanfold: {PLAN}:8: holds a secret (aws_access_key):"
        " plans go into logs, prompts and commits; take it out"
    )
    assert kept_secrets(root) == []


@pytest.mark.parametrize(
    "words", [("retry", "1.1", "--hint"), ("reject", "--reason"), ("run", "--check")]
)
def test_what_a_person_tells_agents_holds_no_secret(root: Path, words: tuple[str, ...]) -> None:
    ended = fanfold(root, *words, f"log in with {SECRET}")
    assert (ended.code, ended.out) == (2, "")
    assert f"argument {words[-1]}: holds a secret (aws_access_key): it goes into" in ended.err
    assert SECRET not in ended.err
    assert kept_secrets(root) == []
