"""What the state machine carries: places and names, small whatever the run is like."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fanfold.errors import InvalidSettings
from fanfold.run import events as e
from fanfold.run.attempt import Exit
from fanfold.run.decide import decide
from fanfold.run.steps import Dispatch, Merge
from functions.pointers import Targets, pointers
from tests.fakes.scripted_world import CENT, ScriptedWorld, admitted, unit
from tests.unit.functions.test_state_machine import PAYLOAD

CLOUD = e.RunOptions(engine="aws")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:fanfold-dev-attempt-docs:{}"
TASK = "arn:aws:ecs:us-east-1:123456789012:task-definition/fanfold-dev-worker-implementer:{}"
TARGETS = Targets(f"docs={ARN.format(7)}", f"implementer={TASK.format(3)}", 8)


def _wave(world: ScriptedWorld) -> Dispatch:
    step = decide(world.state)
    while not isinstance(step, Dispatch):
        world.perform(step)
        step = decide(world.state)
    return step


def _key(attempt: str) -> str:
    return f"{attempt:>043}"


def _told(world: ScriptedWorld, project: str = "demo") -> dict[str, Any]:
    step = _wave(world)
    keys = {d.attempt: _key(d.attempt) for d in step.attempts}
    return pointers(step, world.state, project, keys, TARGETS)


def test_a_light_role_goes_to_a_function_and_the_others_to_spot() -> None:
    run = admitted(unit("a"), unit("b", role="docs"), options=CLOUD)
    world = ScriptedWorld(run)
    told = _told(world)
    assert {i["attempt"]: i["place"] for i in told["attempts"]} == {"a.1": "spot", "b.1": "lambda"}
    assert {i["attempt"]: i["key"] for i in told["attempts"]} == {
        "a.1": _key("a.1"),
        "b.1": _key("b.1"),
    }
    assert told["concurrency"] == 2
    assert [i["target"] for i in told["attempts"]] == [TASK.format(3), ARN.format(7)]


def test_a_place_that_is_not_deployed_is_named() -> None:
    world = ScriptedWorld(admitted(unit("a"), options=CLOUD))
    targets = Targets(f"docs={ARN}", "none", 8)
    with pytest.raises(InvalidSettings, match="no fargate for the role 'implementer'"):
        pointers(_wave(world), world.state, "demo", {"a.1": _key("a.1")}, targets)


def test_what_was_cut_off_once_gets_capacity_that_stays() -> None:
    world = ScriptedWorld(admitted(unit("a"), options=CLOUD), ends={"a.1": Exit.INTERRUPTED})
    world.perform(_wave(world))
    told = _told(world)
    assert [(i["attempt"], i["place"]) for i in told["attempts"]] == [("a.2", "fargate")]


def test_a_full_wave_fits_into_the_payload_without_what_was_said() -> None:
    units = [unit(chr(0x4E00 + n), title="long " * 1000) for n in range(300)]
    limits = e.RunLimits(30_000 * CENT, 100 * CENT)
    world = ScriptedWorld(admitted(*units, limits=limits, options=CLOUD))
    told = _told(world, "demo" * 10)
    assert len(told["attempts"]) == 100
    assert len(msgspec.json.encode(told)) < PAYLOAD / 4


def test_a_run_has_no_more_at_once_than_the_deployment_has_room_for() -> None:
    limits = e.RunLimits(1000 * CENT, 10 * CENT, concurrency=50)
    units = [unit(chr(ord("a") + n)) for n in range(20)]
    told = _told(ScriptedWorld(admitted(*units, limits=limits, options=CLOUD)))
    assert (len(told["attempts"]), told["concurrency"]) == (20, TARGETS.most)


def test_other_steps_are_told_whole_and_read_back() -> None:
    step = Merge(1, "base", ("a.1", "b.1"))
    told = pointers(step, ScriptedWorld(admitted(unit("a"))).state, "demo", {}, TARGETS)
    assert msgspec.convert(told, Merge) == step
