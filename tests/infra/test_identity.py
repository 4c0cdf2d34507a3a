"""Who may do what: golden action sets, pairs that nobody has, and boundaries above all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.bundle import ROOT
from infra.functions import roles
from tests.kit.templates import (
    actions,
    as_list,
    load,
    of_type,
    plain,
    resources,
    statements_by_role,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kit.templates import Resource, Template

OBSERVE = {
    *("logs:CreateLogStream", "logs:PutLogEvents"),
    *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
}
KEY = {"kms:Decrypt", "kms:GenerateDataKey"}
FOLD = {
    *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
    *("s3:GetObject", "s3:ListBucket", "s3:PutObject"),
}
STEP = OBSERVE | KEY | FOLD
SUPERVISE = STEP | {
    *("dynamodb:DeleteItem", "dynamodb:UpdateItem", "s3:DeleteObject"),
    *("states:DescribeExecution", "states:GetExecutionHistory"),
    *("states:SendTaskSuccess", "states:StartExecution"),
}
POLL = {
    *("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    *("sqs:GetQueueUrl", "sqs:ReceiveMessage"),
}
GOLDEN = {
    "admit": STEP,
    "grant": OBSERVE
    | KEY
    | {
        *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *("s3:GetObject", "s3:ListBucket", "sts:AssumeRole", "sts:TagSession"),
    },
    "prepare": STEP | {"dynamodb:UpdateItem"},
    "merge": STEP,
    "verify": STEP | {"lambda:InvokeFunction"},
    "write-back": STEP,
    "finish": STEP,
    "decide": SUPERVISE,
    "ask": SUPERVISE,
    "answer": SUPERVISE,
    "promote": SUPERVISE,
    "reap": SUPERVISE,
    "start": SUPERVISE | POLL,
    "project": OBSERVE
    | KEY
    | {
        *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
        *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"),
        *("s3:GetObject", "s3:ListBucket", "events:PutEvents"),
    },
}
NAMELESS = {
    "Traces belong to no resource.": {
        *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
        *("xray:GetSamplingRules", "xray:GetSamplingTargets"),
    },
    "Lambda makes and removes a function's network interfaces, which have no name before.": {
        *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
        *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
    },
    "Step Functions has CloudWatch deliver its log, which is set up for an account as a whole.": {
        *(f"logs:{verb}LogDelivery" for verb in ("Create", "Delete", "Get", "Update")),
        *("logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:ListLogDeliveries"),
        "logs:PutResourcePolicy",
    },
    "The login to a registry names no repository.": {"ecr:GetAuthorizationToken"},
}
"""Actions that may be allowed for the resource `*`, by the reason why they have to be."""

FORBIDDEN_PAIRS = [
    ("bedrock:InvokeModel", "states:StartExecution"),
    ("bedrock:InvokeModel", "states:SendTaskSuccess"),
    ("bedrock:InvokeModel", "iam:PassRole"),
    ("bedrock:InvokeModel", "dynamodb:DeleteItem"),
    ("bedrock:InvokeModel", "s3:DeleteObject"),
    ("sts:AssumeRole", "bedrock:InvokeModel"),
    ("sts:AssumeRole", "s3:PutObject"),
    ("sts:AssumeRole", "states:StartExecution"),
    ("bedrock:InvokeModel", "s3:GetObject"),
    ("bedrock:InvokeModel", "dynamodb:PutItem"),
    ("bedrock:InvokeModel", "secretsmanager:GetSecretValue"),
    ("ecs:RunTask", "s3:GetObject"),
    ("iam:PassRole", "lambda:UpdateFunctionCode"),
]


def granted(template: Template, role: str) -> set[str]:
    return actions(statements_by_role(template)[f"fanfold-dev-{role}"])


@pytest.mark.parametrize("role", sorted(GOLDEN))
def test_a_function_may_do_exactly_this(control_template: Template, role: str) -> None:
    assert granted(control_template, role) == GOLDEN[role]


def test_only_workers_may_call_models(control_template: Template) -> None:
    callers = {
        role.removeprefix("fanfold-dev-")
        for role, statements in statements_by_role(control_template).items()
        if any(action.startswith("bedrock:") for action in actions(statements))
    }
    assert callers == {f"attempt-{role}" for role in roles(ROOT)}


@pytest.mark.parametrize("pair", FORBIDDEN_PAIRS, ids=" + ".join)
def test_no_role_has_both(control_template: Template, pair: tuple[str, str]) -> None:
    for role, statements in statements_by_role(control_template).items():
        assert not set(pair) <= actions(statements), role


@pytest.mark.parametrize("profile", ["assembly", "full_assembly"])
def test_every_resource_is_named_that_has_a_name(
    request: pytest.FixtureRequest, profile: str
) -> None:
    folder: Path = request.getfixturevalue(profile)
    for role, statements in statements_by_role(load(folder, "control")).items():
        for statement in statements:
            if "*" in resources(statement):
                assert set(as_list(statement["Action"])) <= set().union(*NAMELESS.values()), role


def test_no_action_is_a_wildcard(control_template: Template) -> None:
    for statements in statements_by_role(control_template).values():
        assert not any("*" in action for action in actions(statements))


def test_no_role_is_above_its_boundary(control_template: Template) -> None:
    policies = of_type(control_template, "AWS::IAM::ManagedPolicy")
    granted_by_role = statements_by_role(control_template)
    for role in of_type(control_template, "AWS::IAM::Role").values():
        boundary = policies[role["Properties"]["PermissionsBoundary"]["Ref"]]["Properties"]
        allowed = actions(boundary["PolicyDocument"]["Statement"])
        assert actions(granted_by_role[role["Properties"]["RoleName"]]) <= allowed


def test_no_boundary_lets_a_role_change_identities(control_template: Template) -> None:
    for policy in of_type(control_template, "AWS::IAM::ManagedPolicy").values():
        allowed = actions(policy["Properties"]["PolicyDocument"]["Statement"])
        assert {a for a in allowed if a.startswith("iam:")} <= {"iam:PassRole"}


def of_events(statements: list[Resource], action: str) -> list[Resource]:
    return [
        statement
        for statement in statements
        if action in as_list(statement["Action"])
        and any(r.endswith("table/fanfold-dev-events") for r in resources(statement))
    ]


def test_nobody_changes_or_deletes_an_event(control_template: Template) -> None:
    for role, statements in statements_by_role(control_template).items():
        for action in ("dynamodb:UpdateItem", "dynamodb:DeleteItem"):
            assert not of_events(statements, action), role


def test_the_key_is_used_through_the_stores_alone(control_template: Template) -> None:
    for role, statements in statements_by_role(control_template).items():
        for statement in statements:
            if "kms:Decrypt" in as_list(statement["Action"]):
                services = statement["Condition"]["StringEquals"]["kms:ViaService"]
                assert {plain(s).split(".")[0] for s in services} == {"dynamodb", "s3"}, role
