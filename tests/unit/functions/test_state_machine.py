"""The state machine against the program: its states are the steps, its names are ours."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest

from fanfold import errors
from fanfold.run import steps
from fanfold.settings import Builder
from fanfold.steps.intake import LARGEST_WAVE
from fanfold.steps.journal import Superseded
from fanfold.steps.prepare import BUILD, BUILDING_S, READY, WAIT
from tests.workflow.aws.machine import SUBSTITUTES, function_of, placeholders, read

if TYPE_CHECKING:
    from collections.abc import Iterator

FUNCTIONS = Path(__file__).parents[3] / "functions"
OF_AWS = re.compile(r"(States|Lambda|Sandbox|ECS|AmazonECS)\.\w+")
OF_THE_WORKER = {"Worker.SpotInterrupted"}
LONGEST_FUNCTION_S = 900
PAYLOAD = 262_144


def _states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from _states(state["ItemProcessor"])


STATES = dict(_states(read()))
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


def test_every_step_that_can_be_decided_has_its_state() -> None:
    inside = {steps.Exhaust, steps.Admit}
    tags = {kind.__struct_config__.tag: kind.__name__ for kind in get_args(steps.Step)}
    for kind in inside:
        tags.pop(str(kind.__struct_config__.tag))
    choices = {c["StringEquals"]: c["Next"] for c in STATES["Step"]["Choices"]}
    assert choices == tags | {"prepare": "Prepare"}
    assert read()["StartAt"] == steps.Admit.__name__
    assert all(name in STATES for name in choices.values())


def test_every_placeholder_is_a_function_or_known() -> None:
    functions = {p for p in placeholders() if p.endswith("Function")} - SUBSTITUTES.keys()
    assert placeholders() - functions == SUBSTITUTES.keys()
    assert all((FUNCTIONS / f"{function_of(p)}.py").exists() for p in functions)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_ends_in_time_and_is_tried_again_with_jitter(name: str) -> None:
    task = TASKS[name]
    assert "TimeoutSeconds" in task or "TimeoutSecondsPath" in task
    again = [r for r in task["Retry"] if r["MaxAttempts"]]
    assert again
    assert {r["JitterStrategy"] for r in again} == {"FULL"}
    if task["Resource"].endswith(":lambda:invoke"):
        assert again[0]["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
    if "Task.Token" in str(task) and task["Resource"].endswith(":ecs:runTask.sync"):
        assert task["HeartbeatSeconds"] <= LONGEST_FUNCTION_S


def test_a_bisection_may_take_a_function_for_each_run_of_slow_checks() -> None:
    names = ["Sandbox.Timedout", "Lambda.Unknown"]
    (slow,) = (r for r in TASKS["Verify"]["Retry"] if r["ErrorEquals"] == names)
    red, red_again, halvings = 1, 1, math.ceil(math.log2(LARGEST_WAVE))
    assert slow["MaxAttempts"] >= red + red_again + halvings


def _errors() -> set[str]:
    clauses = [c for s in TASKS.values() for c in (*s["Retry"], *s.get("Catch", ()))]
    return {error for clause in clauses for error in clause["ErrorEquals"]}


def test_every_error_that_is_caught_is_one_of_ours_or_of_aws() -> None:
    ours = {name for name in vars(errors) if name[0].isupper()} | {Superseded.__name__}
    assert {e for e in _errors() if not OF_AWS.fullmatch(e)} <= ours | OF_THE_WORKER


@pytest.mark.parametrize("name", [n for n, t in TASKS.items() if "Superseded" in str(t)])
def test_an_older_generation_stops_without_another_try(name: str) -> None:
    assert TASKS[name]["Retry"][0]["MaxAttempts"] == 0
    assert "Superseded" in TASKS[name]["Retry"][0]["ErrorEquals"]
    assert TASKS[name]["Catch"][0]["Next"] == "Ended"


def test_items_catch_everything_and_hand_nothing_back() -> None:
    items = dict(_states(STATES["Dispatch"]["ItemProcessor"]))
    for task in (s for s in items.values() if s["Type"] == "Task"):
        assert task["ResultPath"] is None
        assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    (end,) = (s for s in items.values() if s.get("End"))
    assert end == {"Type": "Pass", "Result": {}, "End": True}
    assert STATES["Dispatch"]["ResultPath"] is None


def test_containers_get_pointers_tags_and_no_public_address() -> None:
    places = {"Spot": "FARGATE_SPOT", "OnDemand": "FARGATE", "Build": "FARGATE"}
    for name, capacity in places.items():
        asked = TASKS[name]["Parameters"]
        assert [c["CapacityProvider"] for c in asked["CapacityProviderStrategy"]] == [capacity]
        assert {t["Key"] for t in asked["Tags"]} == {"agent", "repo", "run_id"}
        network = asked["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["AssignPublicIp"] == "DISABLED"
        assert len(msgspec.json.encode(asked["Overrides"])) < 1024


def test_who_builds_is_told_what_and_is_heard_of_by_the_same_function() -> None:
    build = TASKS["Build"]
    (told,) = build["Parameters"]["Overrides"]["ContainerOverrides"]
    names = {each["Name"].removeprefix("FANFOLD_BUILDER_").lower() for each in told["Environment"]}
    assert names == set(Builder.__struct_fields__)
    assert build["TimeoutSeconds"] < BUILDING_S
    assert {c["Next"] for c in build["Catch"]} == {build["Next"]} == {"Built"}
    choices = {c["StringEquals"]: c["Next"] for c in STATES["Layer"]["Choices"]}
    assert choices == {READY: "Decide", BUILD: "Build", WAIT: "AwaitLayer"}


def test_spot_falls_back_to_capacity_that_stays() -> None:
    caught = {e: c["Next"] for c in TASKS["Spot"]["Catch"] for e in c["ErrorEquals"]}
    assert caught["AmazonECS.Unknown"] == "OnDemand"
    assert caught["Worker.SpotInterrupted"] == "Over"
    assert caught["States.ALL"] == "SpotEnded"
    (no_room,) = STATES["SpotEnded"]["Choices"]
    assert (no_room["Next"], STATES["SpotEnded"]["Default"]) == ("OnDemand", "Reap")


def test_a_container_that_found_no_room_anywhere_is_not_told_as_lost() -> None:
    assert TASKS["OnDemand"]["Catch"][-1]["Next"] == "OnDemandEnded"
    (no_room,) = STATES["OnDemandEnded"]["Choices"]
    assert (no_room["Next"], STATES["OnDemandEnded"]["Default"]) == ("NoRoom", "Reap")
    assert STATES["NoRoom"] == {"Type": "Wait", "Seconds": 60, "Next": "Over"}
