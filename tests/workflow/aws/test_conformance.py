"""The same scenario on every engine leaves the same log: types, states, trees, commits, money."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from fanfold.run.attempt import Exit
from fanfold.run.events import attempt_stream
from tests.workflow.aws.engines import ENGINES, memory
from tests.workflow.aws.scenarios import SCENARIOS, WIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.workflow.aws.site import Played


@pytest.fixture(scope="session")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Played]:
    @cache
    def play(name: str) -> Played:
        return memory(SCENARIOS[name], tmp_path_factory.mktemp("memory"))

    return play


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_as_it_says(name: str, in_memory: Callable[[str], Played]) -> None:
    state, scenario = in_memory(name).state, SCENARIOS[name]
    assert state.outcome is scenario.outcome
    assert {u.spec.id: str(u.status) for u in state.units.values()} == scenario.units
    assert state.reserved == 0
    assert state.spent == sum(t.cost for u in state.units.values() for t in u.tries)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "memory"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_engine_leaves_the_same_log(
    name: str, engine: str, tmp_path: Path, in_memory: Callable[[str], Played]
) -> None:
    assert ENGINES[engine](SCENARIOS[name], tmp_path).story == in_memory(name).story


@pytest.mark.parametrize(
    "engine",
    [
        "local",
        pytest.param("local engine, cloud stores", marks=pytest.mark.long),
        pytest.param("cloud", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("name", WIDE)
def test_a_wide_plan_leaves_the_same_log(name: str, engine: str, tmp_path: Path) -> None:
    here = memory(WIDE[name], tmp_path / "memory")
    assert here.state.outcome is WIDE[name].outcome
    assert {u.spec.id: str(u.status) for u in here.state.units.values()} == WIDE[name].units
    assert here.state.reserved == 0
    assert ENGINES[engine](WIDE[name], tmp_path / "there").story == here.story


def test_a_lost_attempt_is_tried_again(in_memory: Callable[[str], Played]) -> None:
    unit = in_memory("lost attempt").state.units["1.1"]
    assert [t.outcome for t in unit.tries] == [Exit.LOST, Exit.SUBMITTED]
    assert unit.tries[0].cost > 0


def test_a_reviewer_sends_a_patch_back_once(in_memory: Callable[[str], Played]) -> None:
    units = in_memory("review").state.units
    purposes = {name: [str(t.purpose) for t in unit.tries] for name, unit in units.items()}
    assert purposes == {"1.1": ["work", "review", "work"], "1.2": ["work", "review"]}
    assert units["1.1"].tries[2].dispatched.hint.endswith("The half is missing.")


def test_of_two_invocations_one_spends(in_memory: Callable[[str], Played]) -> None:
    told = in_memory("duplicate invocation")
    for unit in told.state.units.values():
        stream = attempt_stream(told.state.run_id, unit.tries[0].attempt)
        kinds = [kind for kind, _ in told.story[stream]]
        assert kinds.count("attempt_claimed") == kinds.count("attempt_ended") == 1
