"""What the templates tell a function of its deployment is what it reads."""

from __future__ import annotations

import pytest

from fanfold.errors import InvalidSettings
from fanfold.settings import Deployment, Offer, deployment, deployment_of, offer, offer_of, worker

HERE = Deployment(
    events_table="events",
    projections_table="projections",
    coordination_table="coordination",
    artifact_bucket="artifacts",
    event_bus="bus",
    state_machine="arn:aws:states:us-east-1:123456789012:stateMachine:run",
    run_slots=7,
)


def test_a_function_reads_back_what_it_was_told() -> None:
    assert deployment(HERE.environment()) == HERE


def test_the_keys_are_the_fields() -> None:
    fields = {f"FANFOLD_DEPLOYMENT_{name.upper()}" for name in Deployment.__struct_fields__}
    assert set(HERE.environment()) == fields


def test_who_is_told_an_offer_reads_it_back_and_others_have_none() -> None:
    told = Offer(profile="lite", provider="bedrock", models=("m",), attempts=2, egress=("a.io",))
    assert offer(told.environment()) == told
    assert offer_of(told.outputs()) == told
    assert offer(HERE.environment()) is None


def test_a_missing_name_is_refused() -> None:
    environ = HERE.environment()
    del environ["FANFOLD_DEPLOYMENT_EVENT_BUS"]
    with pytest.raises(InvalidSettings, match="FANFOLD_DEPLOYMENT_EVENT_BUS"):
        deployment(environ)


def test_a_number_that_is_none_is_refused() -> None:
    environ = {**HERE.environment(), "FANFOLD_DEPLOYMENT_RUN_SLOTS": "many"}
    with pytest.raises(InvalidSettings, match="run_slots"):
        deployment(environ)


def test_a_container_is_told_its_attempt_and_keeps_the_token_to_itself() -> None:
    told = {"RUN_ID": "r1", "ATTEMPT": "1.1.1", "TASK_TOKEN": "a-token", "HEARTBEAT_S": "2.5"}
    read = worker({f"FANFOLD_WORKER_{name}": value for name, value in told.items()})
    assert (read.run_id, read.attempt, read.task_token) == ("r1", "1.1.1", "a-token")
    assert read.heartbeat_s == 2.5
    assert "a-token" not in repr(read)


def test_everything_that_a_container_lacks_is_said_at_once() -> None:
    with pytest.raises(InvalidSettings, match=r"FANFOLD_WORKER_ATTEMPT, FANFOLD_WORKER_TASK_TOKEN"):
        worker({"FANFOLD_WORKER_RUN_ID": "r1", "FANFOLD_WORKER_TASK_TOKEN": ""})


def test_the_command_line_reads_the_deployment_from_its_outputs() -> None:
    assert HERE.outputs()["DeploymentRunSlots"] == "7"
    assert "DeploymentRole" not in HERE.outputs()
    assert deployment_of({**HERE.outputs(), "Else": "what the stack says besides"}) == HERE


def test_outputs_that_tell_of_no_deployment_are_refused() -> None:
    with pytest.raises(InvalidSettings, match="events_table"):
        deployment_of({"Else": "a stack of somebody else"})
