"""Where an attempt runs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fanfold.run.events import RunOptions
from fanfold.run.placement import Placement, placement_of
from fanfold.run.state import UnitState
from tests.fakes.scripted_world import unit


@pytest.mark.parametrize(
    ("engine", "role", "minutes", "escalated", "place"),
    [
        ("local", "reviewer", 5.0, False, Placement.LOCAL),
        ("local", "implementer", 50.0, True, Placement.LOCAL),
        ("aws", "reviewer", 5.0, False, Placement.LAMBDA),
        ("aws", "docs", 10.0, False, Placement.LAMBDA),
        ("aws", "docs", 10.5, False, Placement.FARGATE),
        ("aws", "docs", 5.0, True, Placement.FARGATE),
        ("aws", "implementer", 5.0, False, Placement.FARGATE),
        ("aws", "tester", 5.0, False, Placement.FARGATE),
        ("aws", "arbiter", 5.0, False, Placement.FARGATE),
        ("lite", "docs", 50.0, False, Placement.LAMBDA),
        ("lite", "docs", 5.0, True, Placement.LAMBDA),
        ("lite", "arbiter", 5.0, False, Placement.LAMBDA),
    ],
)
def test_placement_follows_from_engine_role_and_estimate(
    engine: str, role: str, minutes: float, escalated: bool, place: Placement
) -> None:
    state = replace(UnitState(unit("a", minutes=minutes)), escalated=escalated)
    options = RunOptions(engine=engine, containers=engine != "lite")
    assert placement_of(options, state, role) is place


def test_placement_follows_the_roles_that_have_a_shell_in_this_run() -> None:
    options = RunOptions(engine="aws", shells=("reviewer",))
    state = UnitState(unit("a"))
    assert placement_of(options, state, "reviewer") is Placement.FARGATE
    assert placement_of(options, state, "implementer") is Placement.LAMBDA
