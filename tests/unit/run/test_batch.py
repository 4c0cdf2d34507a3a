"""Batches: who is funded, who starts when, what is folded, and how it all ends."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.run.batch import decide, opening
from fanfold.run.batch_events import BatchRequested, FoldStarted, TrackSpec
from fanfold.run.batch_state import fold
from fanfold.run.funding import funding
from fanfold.run.lineage import needs_of
from fanfold.run.state import Outcome
from tests.fakes.batch_world import DOLLAR, BatchWorld, Fate, track

ENDS = (Outcome.COMPLETED, Outcome.INCOMPLETE, Outcome.FAILED, Outcome.WAITING)
INCOMPLETE = Fate((Outcome.INCOMPLETE,))
WAITING = Fate((Outcome.WAITING,))


def folds(world: BatchWorld) -> list[tuple[str, ...]]:
    started = [r.data for r in world.log if isinstance(r.data, FoldStarted)]
    return [event.tracks for event in started]


def test_all_tracks_run_and_are_folded_in_their_order() -> None:
    world = BatchWorld([track("c"), track("a"), track("b")], cap=10, pick=lambda runs: runs[-1])
    assert world.run().outcome is Outcome.COMPLETED
    assert set(world.started) == {"a", "b", "c"}
    assert folds(world) == [("c", "a", "b")]


def test_a_dependent_waits_for_its_need_and_stands_after_it() -> None:
    world = BatchWorld([track("b", "a"), track("a"), track("c")], cap=10)
    world.run()
    assert world.started.index("a") < world.started.index("b")
    assert folds(world) == [("a", "b", "c")]


def test_a_failed_track_stops_only_its_dependents() -> None:
    tracks = [track("a"), track("b", "a"), track("c", "b"), track("d")]
    world = BatchWorld(tracks, cap=10, fates={"a": INCOMPLETE})
    state = world.run()
    assert state.outcome is Outcome.INCOMPLETE
    assert world.started == ["a", "d"]
    assert funding(state).blocked == ("b", "c")
    assert folds(world) == [("a", "d")]


def test_a_gated_track_stops_only_its_dependents_and_they_go_on_later() -> None:
    fates = {"a": Fate((Outcome.WAITING, Outcome.COMPLETED))}
    world = BatchWorld([track("a"), track("b", "a"), track("c")], cap=10, fates=fates)
    assert world.run().outcome is Outcome.WAITING
    assert world.started == ["a", "c"]
    assert world.resume().outcome is Outcome.COMPLETED
    assert world.started == ["a", "c", "a", "b"]
    assert folds(world) == [("a", "c"), ("a", "b", "c")]


def test_several_needs_are_folded_before_their_dependent_starts() -> None:
    world = BatchWorld([track("a"), track("b"), track("c", "a", "b")], cap=10)
    state = world.run()
    assert folds(world) == [("a", "b"), ("a", "b", "c")]
    assert state.tracks["c"].fold == next(iter(state.folds))


def test_a_need_of_a_need_is_no_need_of_its_own() -> None:
    world = BatchWorld([track("a"), track("b", "a"), track("c", "a", "b")], cap=10)
    state = world.run()
    assert needs_of(state, "c") == ("b",)
    assert folds(world) == [("a", "b", "c")]


def test_the_cap_funds_whole_tracks_in_order_and_passes_over_what_does_not_fit() -> None:
    tracks = [track("a", need=2), track("b", need=3), track("c", need=1), track("d", "b")]
    asked = BatchRequested("b", "base", tuple(tracks), 4 * DOLLAR, DOLLAR)
    paid = opening(asked)
    assert paid.fresh == {"a": 2 * DOLLAR, "c": DOLLAR}
    assert (paid.unfunded, paid.blocked) == (("b",), ("d",))


def test_what_is_left_over_funds_what_did_not_fit() -> None:
    fates = {"a": Fate(share=0.1), "c": Fate(share=0.1)}
    tracks = [track("a", need=2), track("b", need=3), track("c", need=1)]
    world = BatchWorld(tracks, cap=4, fates=fates)
    assert world.run().outcome is Outcome.COMPLETED
    assert world.started == ["a", "c", "b"]


def test_a_track_that_ran_out_gets_more_when_all_others_have_ended() -> None:
    outcomes = (Outcome.INCOMPLETE, Outcome.COMPLETED)
    fates = {"a": Fate(outcomes, share=1.0, unpaid=1), "b": Fate(share=0.1)}
    tracks = [track("a", need=2, units=2), track("b", need=2)]
    world = BatchWorld(tracks, cap=4, fates=fates)
    assert world.run().outcome is Outcome.COMPLETED
    assert world.started == ["a", "b", "a"]
    assert world.state.tracks["a"].granted == 3 * DOLLAR


def test_a_track_that_never_has_enough_ends_short() -> None:
    fates = {"a": Fate((Outcome.INCOMPLETE,), share=1.0, unpaid=1)}
    world = BatchWorld([track("a", need=2, units=2), track("b")], cap=40, fates=fates)
    assert world.run().outcome is Outcome.INCOMPLETE


def test_a_cancelled_batch_starts_nothing_more_and_can_go_on() -> None:
    world = BatchWorld([track("a"), track("b", "a")], cap=10)
    world.perform(decide(world.state))
    world.perform(decide(world.state))
    world.cancel()
    assert world.run().outcome is Outcome.CANCELLED
    assert world.started == ["a"]
    assert folds(world) == []
    assert world.resume().outcome is Outcome.COMPLETED
    assert world.started == ["a", "b"]


def test_a_raised_cap_lets_more_tracks_in() -> None:
    world = BatchWorld([track("a"), track("b")], cap=1, fates={"a": Fate(share=1.0)})
    assert world.run().outcome is Outcome.INCOMPLETE
    assert world.started == ["a"]
    assert world.resume(cap=3).outcome is Outcome.COMPLETED
    assert world.started == ["a", "b"]


def test_resuming_a_finished_batch_folds_nothing_again() -> None:
    world = BatchWorld([track("a"), track("b")], cap=10)
    world.run()
    world.resume()
    assert len(folds(world)) == 1


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[TrackSpec], float, dict[str, Fate]]:
    """Up to seven tracks that need earlier ones, a cap, and how each of them ends."""
    names = [f"t{n}" for n in range(draw(st.integers(1, 7)))]
    tracks: list[TrackSpec] = []
    fates: dict[str, Fate] = {}
    for place, name in enumerate(names):
        needs = draw(st.sets(st.sampled_from(names[:place]), max_size=2)) if place else set[str]()
        need = draw(st.integers(1, 8)) / 4
        tracks.append(track(name, *sorted(needs), need=need, units=draw(st.integers(1, 3))))
        ends = draw(st.lists(st.sampled_from(ENDS), min_size=1, max_size=2))
        fates[name] = Fate(tuple(ends), share=draw(st.integers(0, 10)) / 10)
    return draw(st.permutations(tracks)), draw(st.integers(1, 40)) / 4, fates


@settings(max_examples=150, deadline=None)
@given(batches(), st.integers(0, 1000))
def test_the_order_in_which_tracks_end_changes_nothing(
    batch: tuple[list[TrackSpec], float, dict[str, Fate]], seed: int
) -> None:
    """`BatchWorld` holds that the cap is kept and that nothing starts before its needs."""
    chance = random.Random(seed)
    calm = BatchWorld(*batch)
    wild = BatchWorld(*batch, pick=chance.choice)
    for world in (calm, wild):
        world.run()
        assert fold(world.log) == world.state
    assert set(wild.started) == set(calm.started)
    assert wild.state.outcome == calm.state.outcome
    assert folds(wild)[-1:] == folds(calm)[-1:]
    for world in (calm, wild):
        world.resume(cap=100)
    assert set(wild.started) == set(calm.started)
    assert wild.state.outcome == calm.state.outcome


@settings(max_examples=100, deadline=None)
@given(batches(), st.integers(0, 1000))
def test_a_crash_after_any_event_changes_nothing(
    batch: tuple[list[TrackSpec], float, dict[str, Fate]], seed: int
) -> None:
    """A new process knows only the log, and says so with its generation."""
    tracks, cap, fates = batch
    final = {name: fate._replace(outcomes=fate.outcomes[-1:]) for name, fate in fates.items()}
    calm = BatchWorld(tracks, cap, final)
    calm.run()
    chance = random.Random(seed)
    world = BatchWorld(tracks, cap, final)
    for _ in range(chance.randrange(8)):
        world.perform(decide(world.state))
    if world.state.outcome is None:
        world.resume()
        assert set(world.started) == set(calm.started)
        assert world.state.outcome == calm.state.outcome


@pytest.mark.parametrize("cap", [0.5, 1, 2.5])
def test_what_is_funded_is_said_before_anything_starts(cap: float) -> None:
    tracks = [track("a"), track("b"), track("c")]
    paid = opening(BatchRequested("b", "base", tuple(tracks), int(cap * DOLLAR), DOLLAR))
    fates = dict.fromkeys("abc", Fate(share=1.0))
    world = BatchWorld(tracks, cap, fates)
    world.run()
    assert world.funded == set(paid.fresh)
