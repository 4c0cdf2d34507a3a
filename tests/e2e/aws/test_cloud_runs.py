"""Runs in an account, by the command line."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.hosted import hosted, requests_of_commands
from tests.fakes.projects import PLAN, fanfold, git
from tests.fakes.tracks import OPEN_TRACK, letters, letters_repository, play, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.hosted import Host

RUN = ("run", "--budget", "5", "--check", "true", "--json")
CLOUD = (*RUN, "--engine", "aws")
HERE = (*RUN, "--no-sandbox")


GATED = """\
# Letters

## Phase 1: Greek

- [ ] Task: Write alpha
- [ ] Task: Conductor - User Manual Verification 'Greek' (Protocol in workflow.md)
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with (
        pytest.MonkeyPatch.context() as patch,
        hosted(tmp_path_factory.mktemp("account"), patch) as opened,
    ):
        yield opened


@pytest.fixture
def host(account: Host) -> Iterator[Host]:
    """The account of all these tests; each has a repository of another name."""
    account.requests.clear()
    yield account
    account.held = False


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / tmp_path.name, OPEN_TRACK)


def same(view: dict[str, Any]) -> dict[str, Any]:
    """Without the run's name, its times, and the commits, which carry both."""
    tasks = [{**task, "commit": bool(task["commit"])} for task in view["tasks"]]
    named = {"run", "branch", "duration_s", "next", "tree"}
    return {**{k: v for k, v in view.items() if k not in named}, "tasks": tasks}


def test_a_run_in_the_cloud_ends_as_one_on_this_machine(host: Host, root: Path) -> None:
    there = fanfold(root, *CLOUD)
    assert (there.code, there.json["outcome"]) == (0, "completed"), host.containers.errors
    assert "1.1 merged: Write alpha" in there.err
    here = fanfold(root, *HERE)
    assert (here.code, same(there.json)) == (0, same(here.json))
    branch, tree = there.json["branch"], there.json["tree"]
    assert git(root, "rev-parse", f"{branch}^{{tree}}") == tree
    assert git(root, "show", f"{branch}:alpha.txt") == "alpha"
    notes = [
        git(root, "notes", "show", next(t["commit"] for t in view["tasks"]))
        for view in (there.json, here.json)
    ]
    assert notes[0] == notes[1]
    assert fanfold(root, "apply", there.json["run"]).code == 0
    assert (root / "gimel.txt").read_text() == "gimel\n"


def test_who_asks_twice_means_one_run(host: Host, root: Path, tmp_path: Path) -> None:
    host.held = True
    other = clone(root, tmp_path)
    git(root, "remote", "add", "origin", "https://git.example.com/team/letters.git")
    git(other, "remote", "set-url", "origin", "git@git.example.com:team/letters.git")
    first = fanfold(root, *CLOUD, "--detach")
    assert (first.code, first.json["schema"]) == (0, "fanfold.detached/1")
    again = fanfold(other, *CLOUD, "--detach", "--budget", "9")
    assert again.json["run"] == first.json["run"]
    assert "this was asked for before" in again.err
    rerun = fanfold(root, *CLOUD, "--detach", "--rerun").json["run"]
    part = fanfold(root, *CLOUD, "--detach", "--only", "1.1").json["run"]
    assert len({first.json["run"], rerun, part}) == 3
    assert host.asked_for(3)
    host.forget()


def test_what_is_not_committed_goes_along_and_asks_for_one_run(host: Host, root: Path) -> None:
    (root / "new.txt").write_text("not committed\n")
    words = (*CLOUD, "--include-dirty", "--only", "1.1")
    host.held = True
    first, second = (fanfold(root, *words, "--detach").json["run"] for _ in range(2))
    assert first == second
    host.held = False
    done = fanfold(root, *words)
    assert (done.code, done.json["run"]) == (0, first)
    assert git(root, "show", f"{done.json['branch']}:new.txt") == "not committed"
    assert fanfold(root, "apply").code == 0
    assert (root / "alpha.txt").exists()
    assert (root / "new.txt").read_text() == "not committed\n"


def test_another_clone_finds_a_run_and_takes_its_result(
    host: Host, root: Path, tmp_path: Path
) -> None:
    other = clone(root, tmp_path)
    run = fanfold(root, *CLOUD, "--detach").json["run"]
    assert fanfold(other, "status", "--json").json["runs"] == []
    watched = fanfold(other, "watch", run)
    assert (watched.code, f"run {run}: completed" in watched.out) == (0, True)
    until(lambda: listed(other).get(run, {}).get("outcome") == "completed")
    assert listed(other)[run]["plan"] == PLAN
    story = fanfold(other, "events", run, "--attempts").out
    assert '"run_completed"' in story
    assert '"patch_produced"' in story
    assert "Wrote alpha." in fanfold(other, "show", run, "1.1").out
    assert "+alpha" in fanfold(other, "show", run, "1.1", "--patch").out
    spent = fanfold(other, "cost", run, "--json").json["cost_usd"]
    assert spent == listed(other)[run]["cost_usd"]
    assert fanfold(other, "apply", run).code == 0
    assert (other / "alpha.txt").read_text() == "alpha\n"
    assert fanfold(other, "apply", run, "--undo").code == 0
    assert not (other / "alpha.txt").exists()
    assert fanfold(root, "clean", "--json").json["runs"] == [run]
    assert host.cloud.supervision.artifacts.list(f"runs/{run}/attempts") == []
    assert fanfold(root, "status", run, "--json").json["outcome"] == "completed"
    assert fanfold(root, *CLOUD).json["run"] == run


def test_a_gate_is_answered_from_the_command_line(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *letters())
    root = letters_repository(tmp_path / tmp_path.name, GATED)
    waiting = fanfold(root, *CLOUD)
    assert (waiting.code, waiting.json["outcome"]) == (3, "waiting")
    (gate,) = waiting.json["gates"]
    assert "+alpha" in git(root, *gate["diff"].split()[1:])
    assert "+alpha" in (root / ".ai-workspace" / gate["patch"]).read_text()
    rejected = fanfold(root, "reject", "--reason", "alpha needs a capital")
    assert (rejected.code, "reopened: 1.1" in rejected.out) == (0, True)
    assert fanfold(root, "resume").code == 3
    wrong = fanfold(root, "approve", waiting.json["run"], "9.9")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert fanfold(root, "approve").code == 0
    done = fanfold(root, "resume", "--json")
    assert (done.code, done.json.get("outcome")) == (0, "completed"), done.err + done.out
    assert fanfold(root, "events").out.count('"approval_granted"') == 1


def test_ctrl_c_leaves_the_run_to_the_cloud(
    host: Host, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *letters("alpha", delay_s=1.0))

    def press() -> None:
        until(lambda: host.requests)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    stopped = fanfold(root, *CLOUD, "--only", "1.1")
    assert (stopped.code, stopped.out) == (130, "")
    run = PurePosixPath(host.requests[0]).stem
    assert f"`fanfold watch {run}`" in stopped.err.splitlines()[-1]
    assert fanfold(root, "status", run, "--json").json["outcome"] == "running"
    done = fanfold(root, "resume", run, "--json")
    assert (done.code, done.json.get("outcome")) == (0, "completed"), done.err + done.out
    assert "run_resumed" not in fanfold(root, "events", run).out


def test_cancel_stops_a_run_in_the_cloud(
    host: Host, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, tmp_path, *letters("alpha", "beta", delay_s=1.0))
    run = fanfold(root, *CLOUD, "--detach").json["run"]
    until(lambda: '"attempt_claimed"' in fanfold(root, "events", "--attempts").out)
    assert fanfold(root, "cancel").code == 0
    assert f"run {run}: cancelled" in fanfold(root, "watch", run).out
    again = fanfold(root, "cancel", run)
    assert (again.code, again.err.count("\n")) == (2, 1)


def test_a_spent_cap_is_raised_by_resume(
    host: Host, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha, *others = letters()
    alpha["turns"][-1]["text"] = "so " * 33_000
    play(monkeypatch, tmp_path, alpha, *others)
    monkeypatch.setenv("FANFOLD_LIMITS_ATTEMPT_USD", "0.38")
    words = [w if w != "5" else "0.30" for w in CLOUD]
    short = fanfold(root, *words, "--only", "1.1", "1.2")
    assert (short.code, short.json["outcome"]) == (1, "incomplete")
    assert [t["reason"] for t in short.json["tasks"]][:2] == [None, "budget"]
    assert f"fanfold resume {short.json['run']} --budget 0.60" in short.json["next"]
    done = fanfold(root, "resume", "--budget", "5", "--json")
    assert (done.code, done.json["cap_usd"]) == (0, "5.00")


def test_a_lost_connection_is_borne_with_then_told(host: Host, root: Path) -> None:
    host.held = True

    def cut() -> None:
        until(lambda: host.asked_for(1))
        host.cut()

    threading.Thread(target=cut).start()
    lost = fanfold(root, *CLOUD, "--only", "1.1")
    host.mend()
    assert lost.code == 5
    assert "the connection is lost; trying again" in lost.err
    assert lost.json["outcome"] == "running"
    assert "`fanfold watch" in lost.err.splitlines()[-1]
    host.held = False
    done = fanfold(root, "resume", "--json")
    assert (done.code, done.json.get("outcome")) == (0, "completed"), done.err + done.out


def test_a_run_whose_execution_ended_early_goes_on_in_a_new_one(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanfold.cli.engines.aws.QUIET_S", 0.3)
    with host.broken("verify"):
        died = fanfold(root, *CLOUD, "--only", "1.1")
        assert died.code == 5
        assert "its execution ended early" in died.json["error"]
        (row,) = fanfold(root, "status", "--json").json["runs"]
        assert row["outcome"] == "interrupted"
        assert fanfold(root, "resume").code == 5
        assert fanfold(root, "events").out.count('"run_resumed"') == 1
    assert fanfold(root, "cancel").code == 0
    assert ": cancelled" in fanfold(root, "watch").out


def test_a_run_that_was_refused_starts_when_it_is_asked_for_again(host: Host, root: Path) -> None:
    host.held = True
    run = fanfold(root, *CLOUD, "--only", "1.1", "--detach").json["run"]
    host.lose_snapshots()
    host.held = False
    refused = fanfold(root, "watch", run)
    assert f"run {run}: failed" in refused.out
    done = fanfold(root, *CLOUD, "--only", "1.1")
    assert (done.code, done.json["run"]) == (0, run)


def test_a_track_that_is_ready_is_told_to_the_bus_and_runs(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.held = True
    bare = fanfold(root, "ready", "--json")
    assert (bare.code, bare.json["run"]) == (0, None)
    assert "no cap" in bare.err
    monkeypatch.setenv("FANFOLD_LIMITS_RUN_USD", "5")
    asked = requests_of_commands(monkeypatch)
    ready = fanfold(root, "ready", "--json")
    run = ready.json["run"]
    assert (ready.code, ready.json["state"]) == (0, "approved")
    assert asked[-1] == "PutEvents"
    assert host.told_of(1)
    assert host.asked_for(0)
    assert fanfold(root, "status", run, "--json").code == 0
    host.held = False
    done = fanfold(root, "watch", run)
    assert f"run {run}: completed" in done.out, done.err
    again = fanfold(root, *CLOUD)
    assert (again.json["run"], "asked for before" in again.err) == (run, True)
    assert fanfold(root, "ready", "--json").json["run"] == run
    assert host.told_of(0)


def test_a_request_that_no_event_holds_goes_as_a_manifest(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.held = True
    monkeypatch.setenv("FANFOLD_LIMITS_RUN_USD", "5")
    monkeypatch.setattr("fanfold.cli.engines.aws.LARGEST_DETAIL", 100)
    assert fanfold(root, "ready").code == 0
    assert host.asked_for(1)
    assert host.told_of(0)
    host.forget()


def test_a_list_of_runs_takes_few_requests_however_many_there_are(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = [
        fanfold(root, *CLOUD, "--only", task, "--rerun").json["run"]
        for task in ("1.1", "1.2", "1.1")
    ]
    until(lambda: all(listed(root).get(r, {}).get("outcome") == "completed" for r in done))
    asked = requests_of_commands(monkeypatch)
    assert list(listed(root)) == done
    assert asked == ["DescribeStacks", "Query"]
    host.held = True
    waits = fanfold(root, *CLOUD, "--detach", "--rerun").json["run"]
    asked.clear()
    rows = {row["run"]: row for row in fanfold(root, "status", "--json").json["runs"]}
    assert list(rows) == [*done, waits]
    assert {row["outcome"] for row in rows.values()} == {"completed", "queued"}
    # Of what is not in the list yet, the log is read.
    assert asked == ["DescribeStacks", "Query", "Query"]
    assert fanfold(root, *HERE, "--only", "1.1").code == 0
    (own,) = fanfold(root, "status", "--engine", "local", "--json").json["runs"]
    assert {k: type(v) for k, v in own.items()} == {k: type(v) for k, v in rows[done[0]].items()}
    host.forget()


def test_a_model_that_the_deployment_has_not_is_refused_before_anything_is_sent(
    host: Host, root: Path
) -> None:
    ended = fanfold(root, *CLOUD, "--model", "claude-opus-5-5")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert 'add "anthropic.claude-opus-5-5" to `models` in cdk.json' in ended.err
    assert host.asked_for(0)
    assert fanfold(root, "run", "--dry-run", "--engine", "aws", "--model", "x").code == 2
    done = fanfold(root, *CLOUD, "--only", "1.1")
    refused = fanfold(root, "retry", done.json["run"], "1.1", "--model", "claude-opus-5-5")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert fanfold(root, "status", "--json").json["runs"][-1]["outcome"] == "completed"


def test_hosts_that_no_worker_reaches_are_told(host: Host, root: Path) -> None:
    host.held = True
    (root / "fanfold.toml").write_text('[network]\nallow = ["pypi"]\n')
    asked = fanfold(root, *CLOUD, "--detach")
    assert (asked.code, "no worker there reaches pypi.org, files" in asked.err) == (0, True)
    host.forget()


def test_a_deployment_of_another_version_is_refused(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanfold.cli.engines.aws.own_version", lambda: "99.1.0")
    refused = fanfold(root, *CLOUD)
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "this is 99.1.0" in refused.err
    assert "make deploy" in refused.err


def test_what_is_not_set_up_is_told_in_a_line(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value, told in (
        ("FANFOLD_CLOUD_STACK", "nowhere", "no stack 'nowhere-control' in region us-east-1"),
        ("FANFOLD_CLOUD_PROFILE", "nobody", "`profile` in [cloud]"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            refused = fanfold(root, *CLOUD)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert told in refused.err
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    for words in (CLOUD, ("status", "--engine", "aws", "--json")):
        refused = fanfold(root, *words)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert "`region` in [cloud]" in refused.err
    refused = fanfold(root, *CLOUD, "--no-sandbox")
    assert (refused.code, "--no-sandbox is for this machine" in refused.err) == (2, True)


def clone(root: Path, tmp_path: Path) -> Path:
    """Another of the same name, elsewhere."""
    other = tmp_path / "elsewhere" / root.name
    git(root, "clone", "-q", str(root), str(other))
    git(other, "config", "user.name", "Test")
    git(other, "config", "user.email", "test@localhost")
    return other


def listed(root: Path) -> dict[str, Any]:
    """What the deployment lists of the project."""
    rows = fanfold(root, "status", "--engine", "aws", "--json").json["runs"]
    return {row["run"]: row for row in rows}
