"""Synthesis as a whole: repeatable, valid, named by its settings, strict about findings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra.bundle import ROOT
from infra.functions import roles
from tests.kit.templates import load, of_type, properties

if TYPE_CHECKING:
    from collections.abc import Callable


def templates(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.template.json")}


def assets(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.assets.json")}


def test_a_second_synthesis_gives_the_same_templates(
    full_assembly: Path, synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    """Of the profile that has all that the other has; also what is uploaded has the same names."""
    assert templates(full_assembly)
    again = synthesise(tmp_path, profile="full")
    assert templates(again) == templates(full_assembly)
    assert assets(again) == assets(full_assembly)


def test_names_derive_from_project_and_stage(
    synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    found = templates(synthesise(tmp_path, project="acme", stage="prod"))
    stacks = {"data", "network", "control", "watch"}
    assert set(found) == {f"acme-prod-{stack}.template.json" for stack in stacks}
    assert not any(b"fanfold-dev" in template for template in found.values())


def test_concurrency_is_reserved_and_people_are_told_where_settings_say(
    synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    folder = synthesise(tmp_path, reserved_concurrency="32", alert_email="ops@example.com")
    reserved = {
        function["FunctionName"]
        for function in properties(load(folder, "control"), "AWS::Lambda::Function")
        if function.get("ReservedConcurrentExecutions") == 32
    }
    assert reserved == {f"fanfold-dev-attempt-{role}" for role in roles(ROOT)}
    (subscription,) = properties(load(folder, "watch"), "AWS::SNS::Subscription")
    assert subscription["Endpoint"] == "ops@example.com"


def test_the_longest_names_fit_their_services(
    synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    folder = synthesise(tmp_path, project="p" * 12, stage="s" * 8)
    name = f"{'p' * 12}-{'s' * 8}"
    template: dict[str, Any] = json.loads((folder / f"{name}-data.template.json").read_text())
    control: dict[str, Any] = json.loads((folder / f"{name}-control.template.json").read_text())
    names = [
        resource["Properties"]["BucketName"]["Fn::Join"][1][0]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::S3::Bucket"
    ]
    longest_region = "ap-southeast-1"
    assert len(names) == 2
    assert all(len(name) + len(f"123456789012-{longest_region}") <= 63 for name in names)
    roles = [r["Properties"]["RoleName"] for r in of_type(control, "AWS::IAM::Role").values()]
    assert roles
    assert max(map(len, roles)) <= 64


@pytest.mark.parametrize("profile", ["assembly", "full_assembly"])
def test_templates_pass_cfn_lint(request: pytest.FixtureRequest, profile: str) -> None:
    folder: Path = request.getfixturevalue(profile)
    command = [Path(sys.executable).with_name("cfn-lint"), "--format", "json"]
    command += [*folder.glob("*.template.json")]
    lint = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(lint.stdout or "[]")
    assert [f["Message"] for f in found if not is_accepted(f)] == []


def is_accepted(finding: dict[str, Any]) -> bool:
    """What the CDK repeats on purpose: what has a role comes after it and the role's policies.

    And one stack tells the command line of the whole deployment, of what it imports too.
    """
    where = finding["Location"]["Path"]
    match finding["Rule"]["Id"]:
        case "W3005":
            return where[2] == "DependsOn" and "/Properties/Role" in finding["Message"]
        case "W6001":
            return where[0] == "Outputs" and where[1].startswith("Deployment")
        case _:
            return False


def test_an_unreasoned_finding_fails_the_synthesis(
    synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    from aws_cdk import Stack
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_sqs as sqs

    import app

    bad = app.build(str(tmp_path))
    stack = Stack(bad, "Bad")
    sqs.Queue(stack, "Open")
    anybody = cast("iam.IPrincipal", iam.ServicePrincipal("lambda.amazonaws.com"))
    iam.Role(stack, "Unbound", role_name="unbound", assumed_by=anybody)
    with pytest.raises(RuntimeError, match=r"(?s)AwsSolutions-SQS4.*roles_have_a_boundary"):
        bad.synth()
