"""100,000 random runs with crashes, repeats, people and misfortunes, in ranges of seeds."""

from __future__ import annotations

import pytest

from fanfold.run.evolve import fold
from fanfold.run.state import Outcome
from tests.fakes.soundness import (
    assert_gates_were_kept,
    assert_no_patch_vanished,
    assert_settled,
)
from tests.fakes.world import Odds, World, small_graph

RUNS = 100_000
RANGE = 5_000


@pytest.mark.parametrize("first", range(0, RUNS, RANGE))
def test_every_schedule_ends_and_keeps_its_promises(first: int) -> None:
    for seed in range(first, first + RANGE):
        world = World(small_graph(seed), seed=seed, odds=Odds())
        play(world)
        assert fold(world.log) == world.state, seed


def play(world: World) -> None:
    """To the end, resumed with more money where it ended early."""
    for _ in range(3):
        state = world.run()
        assert_no_patch_vanished(state, world.log)
        if state.outcome in (Outcome.COMPLETED, Outcome.INCOMPLETE):
            assert_settled(state)
        if state.outcome is Outcome.COMPLETED:
            break
        world.resume(cap=state.cap + 5_000)
    assert_gates_were_kept(world.log)
