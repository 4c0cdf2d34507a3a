"""Containers that ECS refuses, loses or kills: the fault of a place costs an attempt nothing."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from fanfold.run.attempt import Exit
from fanfold.run.state import Outcome
from tests.kit.step_functions import Stopped, no_capacity
from tests.workflow.aws.cloud import deployed, drive
from tests.workflow.aws.engines import memory
from tests.workflow.aws.scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kit.step_functions import Container
    from tests.workflow.aws.cloud import Deployed
    from tests.workflow.aws.site import Played

SPOT, ON_DEMAND = "FARGATE_SPOT", "FARGATE"
LETTER = SCENARIOS["parallel"]
ALPHA = Scenario(
    LETTER.plan.replace("- [ ] Task: beta\n- [ ] Task: gamma\n", ""),
    LETTER.agents,
    Outcome.COMPLETED,
    {"1.1": "merged"},
)
TRIES = {SPOT: 3, ON_DEMAND: 13}
NO_ROOM = Stopped("Capacity is unavailable at this time.", "TaskFailedToStart", 0)
KILLS = (
    Stopped("CannotPullContainerError: image not found", "TaskFailedToStart", 0),
    Stopped("OutOfMemoryError: Container killed due to memory usage", code=137),
    Stopped("Essential container in task exited", code=143),
    Stopped("Your Spot Task was interrupted.", "SpotInterruption", 137),
)


def provider(request: dict[str, Any]) -> str:
    (strategy,) = request["CapacityProviderStrategy"]
    return strategy["CapacityProvider"]


def ending(times: int, stopped: Stopped) -> Any:
    """The first containers end so before they have done anything."""
    numbers = count(1)

    def around(container: Container) -> Container:
        def run(environment: dict[str, str]) -> None:
            if next(numbers) <= times:
                raise stopped
            container(environment)

        return run

    return around


def play(deployment: Deployed) -> tuple[Played, list[str]]:
    """The run, and whom its containers were asked of."""
    played = drive(deployment)
    return played, [provider(request) for request in deployment.containers.requests]


def test_without_room_on_spot_it_is_asked_for_on_demand(tmp_path: Path) -> None:
    with deployed(ALPHA, tmp_path / "cloud") as deployment:
        deployment.containers.refuse = lambda request: (
            no_capacity() if provider(request) == SPOT else None
        )
        played, asked = play(deployment)
    assert asked == [SPOT] * TRIES[SPOT] + [ON_DEMAND]
    assert played.story == memory(ALPHA, tmp_path / "memory").story


def test_a_task_that_stops_for_want_of_room_goes_on_demand(tmp_path: Path) -> None:
    with deployed(ALPHA, tmp_path / "cloud") as deployment:
        deployment.containers.around = ending(1, NO_ROOM)
        played, asked = play(deployment)
    assert asked == [SPOT, ON_DEMAND]
    assert played.story == memory(ALPHA, tmp_path / "memory").story


@pytest.mark.parametrize("stops", [False, True])
def test_without_room_anywhere_the_same_attempt_is_placed_again(
    stops: bool, tmp_path: Path
) -> None:
    numbers, refused = count(1), sum(TRIES.values())
    with deployed(ALPHA, tmp_path / "cloud") as deployment:
        if stops:
            deployment.containers.around = ending(2, NO_ROOM)
        else:
            deployment.containers.refuse = lambda _: (
                no_capacity() if next(numbers) <= refused else None
            )
        played, asked = play(deployment)
    before = [SPOT, ON_DEMAND] if stops else [SPOT] * TRIES[SPOT] + [ON_DEMAND] * TRIES[ON_DEMAND]
    assert asked == [*before, SPOT]
    assert played.story == memory(ALPHA, tmp_path / "memory").story


def test_a_throttled_request_for_a_task_is_made_again(tmp_path: Path) -> None:
    numbers = count(1)

    def throttle(_: Any) -> None:
        if next(numbers) <= TRIES[SPOT] - 1:
            told: Any = {"Error": {"Code": "ThrottlingException", "Message": "rate"}}
            raise ClientError(told, "RunTask")

    with deployed(ALPHA, tmp_path / "cloud") as deployment:
        deployment.containers.refuse = throttle
        played, asked = play(deployment)
    assert asked == [SPOT] * TRIES[SPOT]
    assert played.story == memory(ALPHA, tmp_path / "memory").story


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: f"{kill.stop_code} {kill.code}")
def test_a_container_that_ends_before_its_attempt_uses_up_one_try(
    kill: Stopped, tmp_path: Path
) -> None:
    with deployed(ALPHA, tmp_path) as deployment:
        deployment.containers.around = ending(1, kill)
        played, asked = play(deployment)
    tries = played.state.units["1.1"].tries
    assert [t.outcome for t in tries] == [Exit.LOST, Exit.SUBMITTED]
    assert tries[0].cost == 0
    assert asked == [SPOT, ON_DEMAND]
