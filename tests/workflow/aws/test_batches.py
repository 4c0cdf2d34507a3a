"""The same batch on every engine leaves the same logs: types, states, trees, commits, money."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.workflow.aws.batch_engines import ENGINES, memory
from tests.workflow.aws.batch_scenarios import BATCHES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.workflow.aws.batch_site import PlayedBatch


@pytest.fixture(scope="session")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], PlayedBatch]:
    @cache
    def play(name: str) -> PlayedBatch:
        return memory(BATCHES[name], tmp_path_factory.mktemp("memory"))

    return play


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_ends_as_it_says(name: str, in_memory: Callable[[str], PlayedBatch]) -> None:
    told, scenario = in_memory(name), BATCHES[name]
    assert told.state.outcome is scenario.outcome
    assert {t["id"]: t["state"] for t in told.view["tracks"]} == scenario.states
    assert told.state.available == told.state.cap - told.state.spent >= 0


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "memory"])
@pytest.mark.parametrize("name", BATCHES)
def test_every_engine_leaves_the_same_logs(
    name: str, engine: str, tmp_path: Path, in_memory: Callable[[str], PlayedBatch]
) -> None:
    told = ENGINES[engine](BATCHES[name], tmp_path)
    assert told.story == in_memory(name).story
    assert told.state.spent == in_memory(name).state.spent
