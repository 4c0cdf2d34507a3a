"""The most that a role can ever be given; a boundary itself grants nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.findings import acknowledge
from infra.models import CALLS

if TYPE_CHECKING:
    from infra.settings import CloudSettings

LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]
OBSERVE = [
    *LOG,
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
]
STORE = [
    *(f"dynamodb:{action}" for action in ("DeleteItem", "GetItem", "PutItem", "Query")),
    *("dynamodb:UpdateItem", "kms:Decrypt", "kms:GenerateDataKey"),
    *("s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"),
]
STREAM = [
    *(f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator")),
    *("dynamodb:ListStreams", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"),
    *("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:SendMessage"),
]
STEER = [
    *("events:PutEvents", "lambda:InvokeFunction", "states:DescribeExecution"),
    *("states:GetExecutionHistory", "states:SendTaskSuccess", "states:StartExecution"),
    *("sts:AssumeRole", "sts:TagSession"),
]
SECRETS = [
    *("secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"),
    *("secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
]
JOIN = [
    *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
]
WORK = [
    *CALLS,
    *(*JOIN, "lambda:InvokeFunction"),
    *("states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"),
]


BUILD = [
    *("kms:Decrypt", "kms:GenerateDataKey"),
    *("s3:GetObject", "s3:ListBucket", "s3:PutObject"),
]
RUN_STEPS = [
    *("ecs:DescribeTasks", "ecs:RunTask", "ecs:StopTask", "ecs:TagResource", "iam:PassRole"),
    *("events:DescribeRule", "events:PutRule", "events:PutTargets", "lambda:InvokeFunction"),
    *("states:DescribeExecution", "states:StartExecution", "states:StopExecution"),
]
DELIVER_LOGS = [
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Delete", "Get", "Update")),
    *("logs:DescribeLogGroups", "logs:DescribeResourcePolicies"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy"),
]
SAMPLE = ["xray:GetSamplingRules", "xray:GetSamplingTargets"]
PULL = [
    *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage"),
    *("ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"),
]


class Boundaries(Construct):
    """For the functions that steer runs, their state machine, workers, and single attempts."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: CloudSettings) -> None:
        super().__init__(scope, construct_id)
        steer = [*OBSERVE, *STORE, *STREAM, *STEER, *SECRETS]
        self.check = _policy(self, settings, "Check", [*LOG, *JOIN])
        self.control = _policy(self, settings, "Control", steer)
        self.supervisor = _policy(
            self, settings, "Supervisor", [*OBSERVE, *SAMPLE, *DELIVER_LOGS, *RUN_STEPS]
        )
        self.worker = _policy(self, settings, "Worker", [*OBSERVE, *WORK, *PULL])
        self.builder = _policy(self, settings, "Builder", BUILD)
        self.session = _policy(self, settings, "Session", [*STORE, "lambda:InvokeFunction"])


def proxy_boundary(scope: Construct, settings: CloudSettings) -> iam.ManagedPolicy:
    """For the way out: it reads secrets, and reaches no store of ours."""
    actions = [*OBSERVE, *PULL, "kms:Decrypt", "kms:GenerateDataKey", SECRETS[1]]
    return _policy(scope, settings, "ProxyBoundary", actions)


def _policy(
    scope: Construct, settings: CloudSettings, construct_id: str, actions: list[str]
) -> iam.ManagedPolicy:
    name = f"{construct_id.removesuffix('Boundary').lower()}-boundary"
    policy = iam.ManagedPolicy(
        scope,
        construct_id,
        managed_policy_name=settings.name(name),
        statements=[iam.PolicyStatement(actions=actions, resources=["*"])],
    )
    acknowledge(
        policy,
        ("AwsSolutions-IAM5[Resource::*]", "A boundary grants nothing; roles name resources."),
    )
    return policy
