"""Batches in an account, by the command line."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.batches import all_letters, tracks_repository, writes
from tests.fakes.hosted import hosted
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import play, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.hosted import Host

RUN = ("run", "--all-open", "--check", "true", "--budget", "20", "--json")
CLOUD = (*RUN, "--engine", "aws")
HERE = (*RUN, "--no-sandbox")
NEEDS = {"second": ["first"], "third": ["first", "second"]}
GATED = ("second",)


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
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a repository may be made; its agents write letters."""
    play(monkeypatch, tmp_path, *all_letters())
    return tmp_path / tmp_path.name


def same(view: dict[str, Any]) -> dict[str, Any]:
    """Without names, times, and what has them in it: commits, and trees with marked plans."""
    tracks = [{k: v for k, v in t.items() if k != "run"} for t in view["tracks"]]
    runs = [(r["outcome"], r["verified"], r["cost_usd"], states(r)) for r in view["runs"]]
    fold = view["fold"] and (view["fold"]["outcome"], states(view["fold"]))
    named = {"batch", "tree", "branch", "duration_s", "next", "tracks", "runs", "fold"}
    kept = {k: v for k, v in view.items() if k not in named}
    return {**kept, "tracks": tracks, "runs": runs, "fold": fold}


def states(run: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(t["id"], t["state"], t["attempts"], t["reason"]) for t in run["tasks"]]


def test_a_batch_in_the_cloud_ends_as_one_on_this_machine(host: Host, letters: Path) -> None:
    root = tracks_repository(letters, needs=NEEDS)
    there = fanfold(root, *CLOUD)
    assert (there.code, there.json["outcome"]) == (0, "completed"), there.err
    assert "$20.00 fund 3 tracks" in there.err
    here = fanfold(root, *HERE)
    assert (here.code, same(there.json)) == (0, same(here.json))
    batch, branch = there.json["batch"], there.json["branch"]
    assert git(root, "rev-parse", f"{branch}^{{tree}}") == there.json["tree"]
    reachable = git(root, "rev-list", branch).split()
    for run in there.json["runs"]:
        assert git(root, "rev-parse", f"fanfold/{run['run']}") in reachable
        assert {task["commit"] for task in run["tasks"]} <= set(reachable)
    (row,) = (r for r in fanfold(root, "status", "--json").json["batches"] if r["batch"] == batch)
    assert (row["outcome"], row["cost_usd"]) == ("completed", there.json["cost_usd"])
    assert fanfold(root, "status", batch, "--json").json == there.json
    assert fanfold(root, "cost", batch, "--json").json["cost_usd"] == there.json["cost_usd"]
    assert "+delta" in fanfold(root, "show", batch, "--patch").out
    story = fanfold(root, "events", batch, "--attempts").out
    assert story.count('"batch_ended"') == 1
    assert '"patch_produced"' in story
    assert fanfold(root, "resume", batch).code == 0
    assert fanfold(root, "apply", batch).code == 0
    assert (root / "delta.txt").read_text() == "delta\n"
    assert host.cloud.supervision.artifacts.list("under-way/") == []


def test_who_asks_twice_means_one_batch_and_any_clone_finds_it(
    host: Host, letters: Path, tmp_path: Path
) -> None:
    root = tracks_repository(letters, needs={"second": ["first"]})
    other = tmp_path / "elsewhere" / root.name
    git(root, "clone", "-q", str(root), str(other))
    git(root, "remote", "add", "origin", str(root))
    host.held = True
    first = fanfold(root, *CLOUD, "--detach")
    again = fanfold(other, *CLOUD, "--detach", "--budget", "9")
    assert (first.code, first.json["schema"]) == (0, "fanfold.detached/1")
    assert again.json["batch"] == first.json["batch"]
    assert "this was asked for before" in again.err
    host.held = False
    third = tmp_path / "a third" / root.name
    git(root, "clone", "-q", str(root), str(third))
    batch = first.json["batch"]
    watched = fanfold(third, "watch", batch)
    assert (watched.code, f"batch {batch}: completed" in watched.out) == (0, True), watched.err
    assert "first 1.1 merged: Write alpha" in watched.err
    listed = fanfold(third, "status", "--engine", "aws", "--json").json
    assert batch in {row["batch"] for row in listed["batches"]}
    assert fanfold(third, "apply", batch).code == 0
    assert (third / "gimel.txt").exists()
    assert fanfold(third, "apply", batch, "--undo").code == 0
    cleaned = fanfold(root, "clean", batch, "--json")
    assert (cleaned.code, len(cleaned.json["runs"])) == (0, 4)
    assert host.cloud.supervision.artifacts.list(f"batches/{batch}/") == []
    assert fanfold(root, "status", batch, "--json").json["outcome"] == "completed"


def test_a_gate_of_a_track_is_answered_and_its_batch_goes_on(host: Host, letters: Path) -> None:
    root = tracks_repository(letters, gated=GATED, needs={"third": ["second"]})
    waiting = fanfold(root, *CLOUD)
    assert (waiting.code, waiting.json["outcome"]) == (3, "waiting"), waiting.err
    (gate,) = waiting.json["gates"]
    assert "+gimel" in git(root, *gate["diff"].split()[1:])
    assert git(root, "show", f"{waiting.json['branch']}:alpha.txt") == "alpha"
    alone = fanfold(root, "resume", gate["run"])
    assert (alone.code, "belongs to batch" in alone.err) == (2, True)
    assert fanfold(root, "approve", waiting.json["batch"]).code == 0
    done = fanfold(root, "resume", "--json")
    assert (done.code, done.json["outcome"]) == (0, "completed"), done.err
    assert git(root, "show", f"{done.json['branch']}:delta.txt") == "delta"
    assert done.json["gates"][0]["state"] == "approved"


def test_a_batch_in_the_cloud_is_left_alone_by_ctrl_c_and_stopped_by_cancel(
    host: Host, letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [writes(word, delay_s=3.0 if word == "gimel" else 0.0) for word in ("alpha", "gimel")]
    play(monkeypatch, tmp_path, *parts, writes("beta"), writes("delta"))
    root = tracks_repository(letters, needs={"second": ["first"], "third": ["second"]})

    def press() -> None:
        until(lambda: host.requests)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    stopped = fanfold(root, *CLOUD)
    batch = host.requests[0].rpartition("/")[2].removesuffix(".json")
    assert (stopped.code, stopped.out) == (130, "")
    assert f"batch {batch} goes on in the cloud" in stopped.err.splitlines()[-1]
    until(lambda: "Write gimel" in fanfold(root, "events", batch).out, 60.0)
    assert fanfold(root, "cancel", batch).code == 0
    watched = fanfold(root, "watch", batch)
    assert f"batch {batch}: cancelled" in watched.out
    told = fanfold(root, "status", batch, "--json").json
    assert [t["state"] for t in told["tracks"]][::2] == ["done", "skipped"]
    again = fanfold(root, "cancel", batch)
    assert (again.code, again.err.count("\n")) == (2, 1)
