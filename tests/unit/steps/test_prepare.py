"""Preparing trees in the cloud: one builder a digest, and a clear word where it cannot be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from fanfold.errors import PrepareFailed
from fanfold.run.artifacts import prepared_file, run_file
from fanfold.run.environment import Failure, Layer, Prepared, needed_trees
from fanfold.run.events import RunLimits, RunRequested, RunResumed, run_stream
from fanfold.run.state import Outcome
from fanfold.run.steps import Merge, Verify
from fanfold.run.view import run_view
from fanfold.steps.environment import Environments
from fanfold.steps.journal import Journal
from fanfold.steps.prepare import BUILD, BUILDING_S, READY, WAIT, Outlook, Prepare, unprepared
from fanfold.steps.request import MANIFEST, Request
from tests.fakes.memory import ManualClock, MemoryArtifactStore, MemoryEventStore, MemoryLease
from tests.fakes.scripted_world import admitted, unit

if TYPE_CHECKING:
    from pathlib import Path

RUN, BASE, LATER = "r1", "b" * 40, "c" * 40
NO_HOST = Failure(RUN, 1, "uv sync", 2, "no route to pypi.org", ("pypi.org:443",))


class Layers:
    """Layers in memory."""

    def __init__(self) -> None:
        self.made: dict[str, Layer] = {}
        self.failed: dict[str, Failure] = {}

    def find(self, digest: str) -> Layer | None:
        return self.made.get(digest)

    def put(self, layer: Layer, archive: Path) -> None:
        self.made[layer.digest] = layer

    def fetch(self, layer: Layer, place: Path) -> None:
        place.write_text(layer.digest)

    def failure(self, digest: str) -> Failure | None:
        return self.failed.get(digest)

    def fail(self, digest: str, failure: Failure) -> None:
        self.failed[digest] = failure


class Bench:
    """Two runs of one project, which have the same lockfile on the base."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.events, self.artifacts = MemoryEventStore(), MemoryArtifactStore()
        self.lease, self.layers = MemoryLease(self.clock), Layers()
        for run_id in (RUN, "r2"):
            first = [RunRequested(run_id, "plan.md", "0" * 64, "c" * 40), admitted(unit("a"))]
            self.events.append(run_stream(run_id), 0, first)
            self.request(run_id, prepare=("uv sync",))

    def request(self, run_id: str, **more: Any) -> None:
        asked = Request(
            run_id=run_id,
            project="p",
            plan_path="plan.md",
            plan_sha256="0" * 64,
            base="c" * 40,
            base_tree=BASE,
            branch="main",
            author=("A", "a@example.org"),
            limits=RunLimits(cap=1, slice=1),
            **more,
        )
        self.artifacts.put(run_file(run_id, MANIFEST), msgspec.json.encode(asked))

    def journal(self, run_id: str = RUN) -> Journal:
        return Journal(self.events, run_id)

    def look(self, *trees: str, run_id: str = RUN, built: str = "") -> Outlook:
        naming = {BASE: "d1", LATER: "d2"}.__getitem__
        prepare = Prepare(self.journal(run_id), self.artifacts, self.layers, self.lease, naming)
        return prepare(trees, built)

    def make(self, digest: str) -> None:
        self.layers.made[digest] = Layer(digest, "0" * 64, 1)

    def environments(self) -> Environments:
        return Environments(
            RUN,
            self.layers,
            self.artifacts,
            lambda tree: "d3" if tree == "own" else "d9",
            lambda archive, root, sha256: [archive.read_text(), sha256[:1]],
            lambda: BASE,
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_who_comes_first_builds_and_the_others_wait(bench: Bench) -> None:
    assert bench.look(BASE) == Outlook(BUILD, BASE, "d1")
    assert bench.look(BASE) == Outlook(BUILD, BASE, "d1")
    assert bench.look(BASE, run_id="r2") == Outlook(WAIT, BASE, "d1")
    bench.make("d1")
    assert bench.look(BASE, run_id="r2") == Outlook(READY)
    assert bench.look(BASE, built="d1") == Outlook(READY)
    assert bench.lease.holder("deps/d1") is None


def test_a_builder_that_is_silent_for_too_long_is_replaced(bench: Bench) -> None:
    bench.look(BASE)
    bench.clock.advance(BUILDING_S + 1)
    assert bench.look(BASE, run_id="r2").word == BUILD


def test_trees_are_made_one_after_the_other(bench: Bench) -> None:
    bench.make("d1")
    assert bench.look(BASE, LATER) == Outlook(BUILD, LATER, "d2")
    bench.make("d2")
    assert bench.look(BASE, LATER, built="d2") == Outlook(READY)


def test_a_base_that_cannot_be_prepared_ends_the_run_until_it_is_resumed(bench: Bench) -> None:
    bench.look(BASE)
    bench.layers.fail("d1", NO_HOST)
    assert bench.look(BASE, built="d1") == Outlook(READY)
    state = bench.journal().refresh()
    assert state.outcome is Outcome.FAILED
    told = run_view(state)["error"]
    assert told.startswith("prepare command 'uv sync' ended with 2: no route to pypi.org")
    assert '`[prepare] network = ["pypi.org"]`' in told
    assert unprepared(state, bench.artifacts) == ()
    journal = bench.journal()
    journal.refresh()
    journal.append(RunResumed(2))
    assert "error" not in run_view(journal.state)
    assert bench.look(BASE) == Outlook(BUILD, BASE, "d1")


def test_a_builder_that_ends_without_a_word_is_a_failure_too(bench: Bench) -> None:
    bench.look(BASE)
    assert bench.look(BASE, built="d1") == Outlook(READY)
    assert "without a word" in bench.journal().refresh().trouble


def test_another_tree_that_cannot_be_prepared_is_told_to_its_checks(bench: Bench) -> None:
    bench.make("d1")
    bench.look(LATER)
    bench.layers.fail("d2", NO_HOST)
    assert bench.look(LATER, built="d2") == Outlook(READY)
    assert bench.journal().refresh().outcome is None
    with pytest.raises(PrepareFailed, match=r"pypi\.org"):
        bench.environments().of(LATER)


def test_only_a_run_with_prepare_and_containers_waits_for_layers(bench: Bench) -> None:
    state = bench.journal().refresh()
    assert unprepared(state, bench.artifacts) == (state.base_tree,)
    state.options = replace(state.options, containers=False)
    assert unprepared(state, bench.artifacts) == ()
    state.options = replace(state.options, containers=True)
    bench.request(RUN)
    assert unprepared(state, bench.artifacts) == ()
    bench.request(RUN, prepare=("uv sync",))
    bench.artifacts.put(prepared_file(RUN, state.base_tree), b"{}")
    assert unprepared(state, bench.artifacts) == ()


def test_a_bisection_needs_the_trees_in_between() -> None:
    state: Any = type("State", (), {})()
    state.applied = [type("A", (), {"attempt": f"{n}.1", "tree": n * 4})() for n in "abc"]
    asked = Verify(1, "cccc", "0000", ("a.1", "b.1", "c.1"))
    assert needed_trees(asked, state, unit_checks=False) == ("cccc", "aaaa", "bbbb")
    assert needed_trees(Merge(1, "aaaa", ()), state, unit_checks=True) == ()


def test_an_attempts_own_tree_has_its_own_layer_or_what_it_started_with(
    bench: Bench, tmp_path: Path
) -> None:
    found = bench.environments()
    with pytest.raises(PrepareFailed, match="nothing was made"):
        found.of("own")
    bench.make("d1")
    bench.artifacts.put(prepared_file(RUN, BASE), msgspec.json.encode(Prepared("d1")))
    assert found.of("own").digest == "d1"
    assert found.furnish("own", tmp_path) == ["d1", "0"]
    bench.make("d3")
    assert found.of("own").digest == "d3"
