"""One request or one call fails for good, anywhere: nothing twice, nothing lost, no slot leaked.

`pytest -m long` tries every request of every scenario here; without it, some of them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from fanfold.run.attempt import Exit
from tests.kit.storm import KINDS, crashing, storm
from tests.workflow.aws.cloud import STEPS, Trouble, deployed
from tests.workflow.aws.scenarios import SCENARIOS
from tests.workflow.aws.weather import assert_whole, weather

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.workflow.aws.site import Played

WHOLE = ("light roles", "gate", "repair", "cancel", "conflict", "budget")
SOME = ("light roles", "gate")
PLACES = 2
CRASHING = tuple(step for step in STEPS if step not in ("verify", "reap"))


class Calm(NamedTuple):
    """A scenario without a failure, and how many requests it sent."""

    played: Played
    sent: int


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Calm]:
    @cache
    def play(name: str) -> Calm:
        folder = tmp_path_factory.mktemp("calm")
        with storm() as still, deployed(SCENARIOS[name], folder, Trouble(still.around)) as place:
            played = weather(place, still)
            assert_whole(place, played, played)
            return Calm(played, still.sent)

    return play


def strike(name: str, at: int, kind: str, folder: Path, calm: Calm) -> str:
    """Let the request with that number fail, and give what it was."""
    with storm(at, kind) as brewing:
        with deployed(SCENARIOS[name], folder, Trouble(brewing.around)) as place:
            assert_whole(place, weather(place, brewing), calm.played)
        return brewing.struck


@pytest.mark.parametrize("place", range(PLACES))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOME)
def test_a_request_that_fails_for_good_does_no_harm(
    name: str, kind: str, place: int, tmp_path: Path, calm: Callable[[str], Calm]
) -> None:
    told = calm(name)
    spread = KINDS.index(kind) + len(KINDS) * place
    at = 1 + spread * (told.sent - 1) // (len(KINDS) * PLACES)
    assert strike(name, at, kind, tmp_path, told)


@pytest.mark.long
@pytest.mark.parametrize("name", WHOLE)
def test_whichever_request_fails(name: str, tmp_path: Path, calm: Callable[[str], Calm]) -> None:
    told = calm(name)
    for at in range(1, told.sent + 1):
        for kind in KINDS:
            strike(name, at, kind, tmp_path / f"{at} {kind}", told)


@pytest.mark.parametrize("function", CRASHING)
def test_a_function_that_crashes_when_all_is_done_is_called_again(
    function: str, tmp_path: Path, calm: Callable[[str], Calm]
) -> None:
    still_air, wrap = calm("gate"), crashing(function, 1, after=True)
    with storm() as still, deployed(SCENARIOS["gate"], tmp_path, Trouble(wrap)) as place:
        assert_whole(place, weather(place, still), still_air.played)


def test_an_attempt_whose_function_crashes_is_tried_again(
    tmp_path: Path, calm: Callable[[str], Calm]
) -> None:
    still_air, wrap = calm("light roles"), crashing("attempt-docs", 1, after=False)
    with storm() as still, deployed(SCENARIOS["light roles"], tmp_path, Trouble(wrap)) as place:
        told = weather(place, still)
        assert_whole(place, told, still_air.played)
    assert [t.outcome for t in told.state.units["1.1"].tries] == [Exit.LOST, Exit.SUBMITTED]
