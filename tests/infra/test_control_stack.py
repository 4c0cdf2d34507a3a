"""Functions, supervisor, triggers and workers as they are deployed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.settings import deployment, offer
from infra.bundle import ROOT
from infra.functions import CONTROL, present, roles
from infra.settings import CloudSettings
from tests.kit.templates import actions, load, of_type, plain, properties, statements_by_role

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kit.templates import Resource, Template

DEFINITION = (ROOT / "statemachines" / "run.asl.json").read_text()
SETTINGS = CloudSettings()
NAMES = [name.replace("_", "-") for name in present(ROOT, list(CONTROL))]


def functions(template: Template) -> dict[str, Resource]:
    return {
        f["FunctionName"].removeprefix("fanfold-dev-"): f
        for f in properties(template, "AWS::Lambda::Function")
        if "Handler" in f
    }


def tasks(states: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for state in states.values():
        if state["Type"] == "Task":
            found.append(state)
        if state["Type"] == "Map":
            found += tasks(state["ItemProcessor"]["States"])
    return found


def test_every_handler_is_deployed_and_nothing_else(control_template: Template) -> None:
    attempts = [f"attempt-{role}" for role in roles(ROOT)]
    assert set(functions(control_template)) == {*NAMES, *attempts} - {"rotate"}
    for function in functions(control_template).values():
        _, module, handler = function["Handler"].split(".")
        assert handler == "handler"
        assert (ROOT / "functions" / f"{module}.py").exists()


def test_a_function_runs_on_arm_with_traces_and_a_log_of_its_own(
    control_template: Template,
) -> None:
    logs = of_type(control_template, "AWS::Logs::LogGroup")
    for function in functions(control_template).values():
        assert function["Architectures"] == ["arm64"]
        assert function["Runtime"] == "python3.13"
        assert function["TracingConfig"] == {"Mode": "Active"}
        log = logs[function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        assert log["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"


def test_checks_run_from_an_image_with_no_right_but_to_log(control_template: Template) -> None:
    found = properties(control_template, "AWS::Lambda::Function")
    (check,) = (f for f in found if f.get("PackageType") == "Image")
    assert check["FunctionName"] == "fanfold-dev-check"
    assert check["Architectures"] == ["arm64"]
    assert "Environment" not in check
    assert "NetworkChecks" in str(check["VpcConfig"]["SecurityGroupIds"])
    statements = statements_by_role(control_template)["fanfold-dev-check"]
    allowed = actions([s for s in statements if s["Effect"] == "Allow"])
    denied = actions([s for s in statements if s["Effect"] == "Deny"])
    assert allowed - denied == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert all(action.startswith("ec2:") for action in denied)


def test_every_log_forgets(control_template: Template) -> None:
    logs = properties(control_template, "AWS::Logs::LogGroup")
    assert logs
    assert {log["RetentionInDays"] for log in logs} == {90}


def test_a_function_is_told_its_deployment(control_template: Template) -> None:
    for name, function in functions(control_template).items():
        told = {k: plain(v) for k, v in function["Environment"]["Variables"].items()}
        read = deployment(told)
        models = {key for key in told if key.startswith("FANFOLD_MODEL_")}
        offered = offer(told)
        offering = set(offered.environment()) if offered else set[str]()
        assert (name == "admit") == bool(offered)
        assert set(told) == set(read.environment()) | models | offering
        assert bool(models) == bool(read.role)
        assert read.event_bus
        assert bool(read.grant_function) == ("grant" in NAMES)
        assert read.check_function.endswith(":function:fanfold-dev-check:live")
        assert (read.run_slots, read.concurrency) == (SETTINGS.run_slots, SETTINGS.concurrency)
        assert read.role == (name.removeprefix("attempt-") if name.startswith("attempt-") else "")


def test_only_attempts_are_in_the_network(control_template: Template) -> None:
    inside = {name for name, f in functions(control_template).items() if "VpcConfig" in f}
    assert inside == {f"attempt-{role}" for role in roles(ROOT)}


def test_a_replaced_version_stays_for_the_runs_that_began_on_it(
    control_template: Template,
) -> None:
    versions = of_type(control_template, "AWS::Lambda::Version").values()
    assert len(versions) == len(properties(control_template, "AWS::Lambda::Function"))
    assert {v["DeletionPolicy"] for v in versions} == {"Retain"}


def test_the_supervisor_has_a_substitution_for_every_placeholder(
    control_template: Template,
) -> None:
    (machine,) = properties(control_template, "AWS::StepFunctions::StateMachine")
    placeholders = set(re.findall(r"\$\{(\w+)\}", DEFINITION))
    assert set(machine["DefinitionSubstitutions"]) == placeholders
    assert json.loads(machine["DefinitionString"]) == json.loads(DEFINITION)


def test_every_task_of_the_supervisor_calls_something_deployed(
    control_template: Template,
) -> None:
    (machine,) = properties(control_template, "AWS::StepFunctions::StateMachine")
    versions = of_type(control_template, "AWS::Lambda::Version")
    for task in tasks(json.loads(DEFINITION)["States"]):
        name = task["Parameters"].get("FunctionName")
        if name is not None:
            value = machine["DefinitionSubstitutions"][name.strip("${}")]
            assert value["Ref"] in versions


def _by_role(template: Template, substitution: str) -> dict[str, str]:
    """What attempts run on, by role, as the logical id of a version or a task definition."""
    (machine,) = properties(template, "AWS::StepFunctions::StateMachine")
    joined = machine["DefinitionSubstitutions"][substitution]
    if joined == "none":
        return {}
    pairs = [pair["Fn::Join"][1] for pair in joined["Fn::Join"][1]]
    return {role.removesuffix("="): arn["Ref"] for role, arn in pairs}


def test_attempts_run_on_the_versions_their_execution_began_with(
    control_template: Template, full_template: Template
) -> None:
    called = _by_role(control_template, "AttemptFunctions")
    assert set(called) == set(roles(ROOT))
    versions = of_type(control_template, "AWS::Lambda::Version")
    functions_of = of_type(control_template, "AWS::Lambda::Function")
    for role, version in called.items():
        function = versions[version]["Properties"]["FunctionName"]["Ref"]
        assert functions_of[function]["Properties"]["FunctionName"].endswith(f"attempt-{role}")
    assert _by_role(control_template, "WorkerTaskDefinitions") == {}
    revisions = _by_role(full_template, "WorkerTaskDefinitions")
    assert set(revisions) == set(roles(ROOT))
    (machine,) = properties(full_template, "AWS::StepFunctions::StateMachine")
    builder = machine["DefinitionSubstitutions"]["BuilderTaskDefinition"]["Ref"]
    everything = set(of_type(full_template, "AWS::ECS::TaskDefinition"))
    assert {*revisions.values(), builder} == everything


def test_everybody_else_calls_the_alias(control_template: Template) -> None:
    aliases = properties(control_template, "AWS::Lambda::Alias")
    assert {alias["Name"] for alias in aliases} == {"live"}


def test_the_supervisor_is_logged_and_traced_without_its_data(control_template: Template) -> None:
    (machine,) = properties(control_template, "AWS::StepFunctions::StateMachine")
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert not machine["LoggingConfiguration"]["IncludeExecutionData"]


def test_requests_start_runs_two_at_a_time_and_fail_alone(control_template: Template) -> None:
    mappings = properties(control_template, "AWS::Lambda::EventSourceMapping")
    (source,) = (m for m in mappings if "Requests" in plain(m["EventSourceArn"]))
    assert source["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_clock_and_ended_executions_set_functions_going(control_template: Template) -> None:
    rules = {rule["Name"]: rule for rule in properties(control_template, "AWS::Events::Rule")}
    assert set(rules) == {
        f"fanfold-dev-{n}" for n in ("promote-schedule", "reap-schedule", "run-ended")
    }
    pattern = rules["fanfold-dev-run-ended"]["EventPattern"]
    assert set(pattern["detail"]["status"]) == {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
    assert pattern["detail"]["stateMachineArn"] == [{"suffix": ":stateMachine:fanfold-dev-run"}]
    for rule in rules.values():
        (target,) = rule["Targets"]
        assert "DeadLetterConfig" in target


@pytest.mark.parametrize("profile", ["assembly", "full_assembly"])
def test_no_concurrency_is_reserved_by_default(
    request: pytest.FixtureRequest, profile: str
) -> None:
    folder: Path = request.getfixturevalue(profile)
    for function in properties(load(folder, "control"), "AWS::Lambda::Function"):
        assert "ReservedConcurrentExecutions" not in function
