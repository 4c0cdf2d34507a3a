"""The same scenario on every engine leaves the same log: types, states, trees, commits, money."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from fanfold.run.attempt import Exit
from tests.workflow.aws.engines import ENGINES, memory
from tests.workflow.aws.scenarios import SCENARIOS
from tests.workflow.aws.site import story

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.workflow.aws.site import Site


@pytest.fixture(scope="session")
def played_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Site]:
    @cache
    def play(name: str) -> Site:
        return memory(SCENARIOS[name], tmp_path_factory.mktemp("memory"))

    return play


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_as_it_says(name: str, played_in_memory: Callable[[str], Site]) -> None:
    state = played_in_memory(name).journal().state
    scenario = SCENARIOS[name]
    assert state.outcome is scenario.outcome
    assert {u.spec.id: str(u.status) for u in state.units.values()} == scenario.units
    assert state.reserved == 0
    assert state.spent == sum(t.cost for u in state.units.values() for t in u.tries)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "memory"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_engine_leaves_the_same_log(
    name: str, engine: str, tmp_path: Path, played_in_memory: Callable[[str], Site]
) -> None:
    site = ENGINES[engine](SCENARIOS[name], tmp_path)
    assert story(site) == story(played_in_memory(name))


def test_a_lost_attempt_is_tried_again(played_in_memory: Callable[[str], Site]) -> None:
    unit = played_in_memory("lost attempt").journal().state.units["1.1"]
    assert [t.outcome for t in unit.tries] == [Exit.LOST, Exit.SUBMITTED]
    assert unit.tries[0].cost > 0


def test_of_two_invocations_one_spends(played_in_memory: Callable[[str], Site]) -> None:
    site = played_in_memory("duplicate invocation")
    for unit in site.journal().state.units.values():
        stream = f"run/{site.journal().run_id}/attempt/{unit.spec.id}.1"
        kinds = [e.event_type for e in site.wiring.events.read(stream)]
        assert kinds.count("attempt_claimed") == kinds.count("attempt_ended") == 1
