"""Whole runs in which every request is judged by the policies of who makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.assembly import Assembly
from tests.kit.guard import SESSION, Guard
from tests.workflow.aws.batch_engines import batch_deployed
from tests.workflow.aws.batch_scenarios import BATCHES
from tests.workflow.aws.cloud import Trouble, deployed, drive
from tests.workflow.aws.scenarios import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

PLAYED = ("parallel", "conflict", "gate", "light roles", "spot loss")


@pytest.mark.parametrize("name", PLAYED)
def test_every_role_may_do_what_its_part_of_a_run_takes(
    full_assembly: Path, tmp_path: Path, name: str
) -> None:
    guard = Guard(Assembly(full_assembly))
    with deployed(SCENARIOS[name], tmp_path, Trouble(clients=guard.clients)) as deployment:
        played = drive(deployment)
    assert "\n".join(guard.denied) == ""
    assert played.state.outcome is SCENARIOS[name].outcome
    assert {"decide", "merge", "grant", SESSION} <= {role for role, _ in guard.asked}


def test_every_role_may_do_what_its_part_of_a_batch_takes(
    full_assembly: Path, tmp_path: Path
) -> None:
    guard = Guard(Assembly(full_assembly))
    scenario = BATCHES["one on another, and one on both"]
    with batch_deployed(scenario, tmp_path, Trouble(clients=guard.clients)) as place:
        played = place.drive()
    assert "\n".join(guard.denied) == ""
    assert played.state.outcome is scenario.outcome
    assert {"start", "reap", "grant", SESSION} <= {role for role, _ in guard.asked}
