"""What the people of a team are given, and where their command line finds the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.settings import deployment_of, offer_of, own_version
from tests.kit.templates import actions, as_list, plain, properties, resources

if TYPE_CHECKING:
    from tests.kit.templates import Resource, Template

MAY = {
    *("bedrock:GetFoundationModelAvailability", "bedrock:GetInferenceProfile"),
    *("cloudformation:DescribeStacks", "dynamodb:Query", "events:PutEvents"),
    *("kms:Decrypt", "kms:GenerateDataKey", "lambda:GetAccountSettings"),
    *("lambda:InvokeFunction", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket"),
    *("s3:PutObject", "states:DescribeExecution"),
}


def user_statements(template: Template) -> list[Resource]:
    (policy,) = (
        p
        for p in properties(template, "AWS::IAM::ManagedPolicy")
        if p["ManagedPolicyName"] == "fanfold-dev-user"
    )
    return policy["PolicyDocument"]["Statement"]


def reach(statements: list[Resource], action: str) -> set[str]:
    return {r for s in statements if action in as_list(s["Action"]) for r in resources(s)}


def test_a_user_may_do_exactly_this(control_template: Template) -> None:
    assert actions(user_statements(control_template)) == MAY


def test_a_user_calls_answer_alone(control_template: Template) -> None:
    called = reach(user_statements(control_template), "lambda:InvokeFunction")
    assert [arn.rpartition("function:")[2] for arn in called] == ["fanfold-dev-answer:live"]


def test_a_user_writes_requests_and_what_settles_a_conflict(control_template: Template) -> None:
    written = reach(user_statements(control_template), "s3:PutObject")
    assert {arn.partition("/")[2] for arn in written} == {
        "requests/*",
        "snapshots/*",
        "runs/*/plan.md*",
        "runs/*/base.json*",
        "batches/*/batch.json*",
        "runs/*/attempts/*/1/patch.diff*",
        "runs/*/attempts/*/1/report.json*",
    }


def test_the_outputs_tell_the_command_line_of_the_deployment(control_template: Template) -> None:
    outputs: dict[str, Any] = control_template["Outputs"]
    told = {name: plain(output["Value"]) for name, output in outputs.items()}
    found, offer = deployment_of(told), offer_of(told)
    assert found.version == own_version()
    assert found.answer_function.endswith("function:fanfold-dev-answer:live")
    assert found.state_machine.endswith("stateMachine:fanfold-dev-run")
    assert found.run_slots == 4
    assert (offer.profile, offer.provider, offer.attempts) == ("lite", "bedrock", 32)
    assert offer.models == ("anthropic.claude-sonnet-5-5",)
    assert "UserPolicy" in outputs
