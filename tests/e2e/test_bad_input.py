"""Bad input: exit 2 or 5, one clear line on stderr, nothing on stdout, nothing started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.bootstrap import open_project
from tests.fakes.projects import PLAN, fanfold, git, make_repository

if TYPE_CHECKING:
    from tests.fakes.projects import Ended

TASKS = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write a file\n- [ ] Task: Write another\n"
SCRIPT = '{"attempts": [{"task": "*", "files": {"a.txt": "a"}, "submit": "done"}]}'
RUN = ("run", PLAN, "--budget", "1", "--json", "--no-sandbox")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a plan, and a script that would play it."""
    (tmp_path / "script.json").write_text(SCRIPT)
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(tmp_path / "script.json"))
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    return make_repository(tmp_path / "project", {PLAN: TASKS})


def _assert_refused(ended: Ended, *said: str, code: int = 2) -> None:
    assert ended.code == code, ended
    if code == 5:
        assert ended.json["error"] in ended.err
    else:
        assert ended.out == ""
    line = ended.err.strip()
    assert "\n" not in line
    assert "Traceback" not in line
    for words in said:
        assert words in line


def _assert_nothing_started(root: Path) -> None:
    assert open_project(root).events.streams("run/") == []
    assert git(root, "branch", "--format=%(refname:short)") == "main"


def test_not_a_repository(tmp_path: Path) -> None:
    _assert_refused(fanfold(tmp_path, *RUN), str(tmp_path), "git init")


def test_no_commit_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    _assert_refused(fanfold(tmp_path, *RUN), "commit")


def test_a_detached_head(root: Path) -> None:
    git(root, "checkout", "-q", "--detach")
    _assert_refused(fanfold(root, *RUN), "detached", "git switch -c")


def test_submodules(root: Path) -> None:
    head = git(root, "rev-parse", "HEAD")
    (root / ".gitmodules").write_text('[submodule "v"]\n\tpath = vendored\n\turl = ../v\n')
    git(root, "add", ".gitmodules")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},vendored")
    git(root, "commit", "-q", "-m", "submodule")
    _assert_refused(fanfold(root, *RUN), "submodules", "vendored")
    _assert_nothing_started(root)


def test_a_merge_in_progress(root: Path) -> None:
    (root / ".git" / "MERGE_HEAD").write_text(git(root, "rev-parse", "HEAD") + "\n")
    _assert_refused(fanfold(root, *RUN), "merge", "in progress")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"# Plan\n\0\0\n- [ ] Task: x\n", "NUL"),
        (b"# Plan\n\n- [ ] Task: caf\xe9\n", "UTF-8"),
        (b"# Plan\n\nNothing to do here.\n", "no task"),
        (b"# Plan\n\n## Phase 1: A\n\n- [?] Task: x\n", ":5:"),
    ],
)
def test_a_plan_that_is_none(root: Path, content: bytes | None, said: str) -> None:
    if content is None:
        (root / PLAN).unlink()
    else:
        (root / PLAN).write_bytes(content)
    _assert_refused(fanfold(root, *RUN), PLAN, said)
    _assert_nothing_started(root)


def test_a_cyclic_plan(root: Path) -> None:
    (root / PLAN).write_text(
        "# Plan\n\n## Phase 1: A\n<!-- depends: phase2 -->\n\n- [ ] Task: x\n\n"
        "## Phase 2: B\n<!-- depends: phase1 -->\n\n- [ ] Task: y\n"
    )
    _assert_refused(fanfold(root, *RUN), PLAN, "wait for each other")
    _assert_nothing_started(root)


def test_a_plan_that_is_done_is_nothing_to_do(root: Path) -> None:
    (root / PLAN).write_text(TASKS.replace("[ ]", "[x]"))
    ended = fanfold(root, *RUN)
    assert ended.code == 0
    assert ended.err.count("\n") == 1
    assert "nothing to do" in ended.err
    assert [t["state"] for t in ended.json["tasks"]] == ["done", "done"]
    _assert_nothing_started(root)


def test_an_unknown_model(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FANFOLD_MODEL_SCRIPT")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-" + "a-key")
    ended = fanfold(root, *RUN, "--model", "claude-imaginary-9")
    _assert_refused(ended, "claude-imaginary-9", "price")
    _assert_nothing_started(root)


def test_no_key(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FANFOLD_MODEL_SCRIPT")
    _assert_refused(fanfold(root, *RUN), "ANTHROPIC_API_KEY")
    _assert_nothing_started(root)


@pytest.mark.parametrize("amount", ["0", "-1", "much", "nan", "inf", ""])
def test_a_cap_that_is_none(root: Path, amount: str) -> None:
    ended = fanfold(root, "run", PLAN, f"--budget={amount}", "--json")
    _assert_refused(ended, "--budget")
    _assert_nothing_started(root)


def test_no_cap_and_nobody_to_ask(root: Path) -> None:
    _assert_refused(fanfold(root, "run", PLAN, "--json"), "--budget", "fanfold.toml")
    _assert_nothing_started(root)


def test_settings_with_an_unknown_key(root: Path) -> None:
    (root / "fanfold.toml").write_text("[limits]\nrun_usdd = 1\n")
    _assert_refused(fanfold(root, *RUN), "fanfold.toml", "run_usdd")


def test_settings_that_are_no_toml(root: Path) -> None:
    (root / "fanfold.toml").write_text("[limits\n")
    _assert_refused(fanfold(root, *RUN), "fanfold.toml", "line 1")


def test_an_unknown_run(root: Path) -> None:
    _assert_refused(fanfold(root, "status", "abc", "--json"), "no run")


def test_an_unknown_command(root: Path) -> None:
    _assert_refused(fanfold(root, "rnu"), "rnu", "run")


def test_several_tracks_that_could_be_meant(root: Path) -> None:
    other = root / "conductor" / "tracks" / "two" / "plan.md"
    other.parent.mkdir()
    other.write_text(TASKS)
    _assert_refused(fanfold(root, "run", "--budget", "1", "--json"), "one", "two", "--track")


def test_garbage_in_the_log_is_kept_and_passed_over(root: Path) -> None:
    log = root / ".ai-workspace" / "events" / "events.jsonl"
    log.parent.mkdir(parents=True)
    garbage = b'{"event_type": "from another tool", "x": 1}\nnot json at all\n\xff\xfe\n{"torn": '
    log.write_bytes(garbage)
    ended = fanfold(root, *RUN)
    assert ended.code == 1  # merged, but nothing checks it
    assert ended.json["outcome"] == "completed"
    assert log.read_bytes().startswith(garbage + b"\n")
    assert fanfold(root, "status", "--json").json["runs"][0]["outcome"] == "completed"


def test_a_workspace_that_cannot_be_written(root: Path) -> None:
    (root / ".ai-workspace").write_text("in the way")
    _assert_refused(fanfold(root, *RUN), ".ai-workspace", code=5)
    assert (root / ".ai-workspace").read_text() == "in the way"


def test_a_plan_outside_the_repository(root: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text(TASKS)
    ended = fanfold(root, "run", str(tmp_path / "plan.md"), "--budget", "1", "--json")
    _assert_refused(ended, "inside the repository")


def test_dirty_work_is_counted_and_left_alone(root: Path) -> None:
    (root / "mine.txt").write_text("mine")
    ended = fanfold(root, *RUN)
    assert "1 uncommitted change" in ended.err
    assert (root / "mine.txt").read_text() == "mine"
    assert git(root, "ls-tree", "--name-only", ended.json["branch"]).split() == [
        "a.txt",
        "conductor",
    ]


def test_the_command_itself_says_one_line(tmp_path: Path) -> None:
    program = Path(__file__).parents[2] / ".venv" / "bin" / "fanfold"
    done = subprocess.run(
        (str(program), "-C", str(tmp_path), *RUN), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_plan_can_be_looked_at_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "plan.md").write_text(TASKS)
    looked = fanfold(tmp_path, "plan", str(tmp_path / "plan.md"), "--json")
    assert looked.code == 0, looked.err
    assert [t["id"] for t in looked.json["tasks"]] == ["1.1", "1.2"]


def test_a_plan_can_be_looked_at_where_no_repository_is(tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text(TASKS)
    looked = fanfold(tmp_path, "plan", str(tmp_path / "plan.md"), "--json")
    assert looked.code == 0, looked.err
    assert looked.json["plan"] == str(tmp_path / "plan.md")
    assert fanfold(tmp_path, "estimate", "plan.md", "--json").json["attempts"] == 1


def test_a_plan_of_elsewhere_can_be_looked_at(root: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text(TASKS)
    assert fanfold(root, "plan", str(tmp_path / "plan.md"), "--json").code == 0


@pytest.mark.parametrize("words", [("run", PLAN, "--budget", "1", "--engine", "aws"), ("doctor",)])
def test_an_installation_without_the_aws_packages_says_what_to_install(
    root: Path, tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "fanfold.toml").write_text('[cloud]\nstack = "acme"\nregion = "us-east-1"\n')
    without = tmp_path / "without"
    without.mkdir()
    for name in ("boto3", "botocore"):
        (without / f"{name}.py").write_text(f"raise ModuleNotFoundError(name={name!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(without))
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "from fanfold.cli.main import main; raise SystemExit(main())",
            *words,
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (
        2,
        "fanfold: this needs the AWS packages: install fanfold[aws]",
    )
