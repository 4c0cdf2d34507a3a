"""What may pass through the endpoints of the agents' network: our own, by our own account."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.constructs.check_function import NAME as CHECK
from infra.models import CALLS, model_arns, profile_arns
from infra.settings import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.settings import CloudSettings

PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
ANSWER = [f"states:SendTask{word}" for word in ("Success", "Failure", "Heartbeat")]
TRACE = [
    *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
    *("xray:GetSamplingRules", "xray:GetSamplingTargets"),
]


class EndpointPolicies:
    """Statements by service, as the construct ids of the endpoints name it."""

    def __init__(self, settings: CloudSettings, tables: Sequence[str], bucket: str) -> None:
        """`tables` and `bucket` are ARNs, the table of the events first."""
        self._settings, self._tables, self._bucket = settings, tables, bucket

    def gateway(self, service: str) -> list[iam.PolicyStatement]:
        return {"DynamoDb": self._dynamodb, "S3": self._s3}[service]()

    def interface(self, service: str) -> list[iam.PolicyStatement]:
        settings, here = self._settings, f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
        prefix = f"arn:aws:lambda:{here}:function:"
        called = [f"{prefix}{settings.name(name)}" for name in ("grant", CHECK)]
        images = f"arn:aws:ecr:{here}:repository/*"
        machine = f"arn:aws:states:{here}:stateMachine:{settings.name('run')}"
        log = f"arn:aws:logs:{here}:log-group:/{settings.name('worker')}*"
        write = ["logs:CreateLogStream", "logs:PutLogEvents"]
        models = [*profile_arns(settings), *model_arns(settings)]
        return {
            "BedrockRuntime": [_own_account(CALLS, models)],
            "Lambda": [
                _own_account(["lambda:InvokeFunction"], [*called, *(f"{f}:*" for f in called)])
            ],
            "EcrApi": [
                _own_account(PULL, [images]),
                _own_account(["ecr:GetAuthorizationToken"], ["*"]),
            ],
            "EcrDkr": [_own_account(PULL, [images])],
            "Logs": [_own_account(write, [log])],
            "StepFunctions": [_own_account(ANSWER, [machine, f"{machine}/*"])],
            "XRay": [_own_account(TRACE, ["*"])],
        }[service]

    def _dynamodb(self) -> list[iam.PolicyStatement]:
        """Of a session: a worker itself reaches no table."""
        verbs = ("GetItem", "PutItem", "Query")
        events = self._tables[0]
        return [_own_account([f"dynamodb:{verb}" for verb in verbs], [events])]

    def _s3(self) -> list[iam.PolicyStatement]:
        statements = [
            _own_account(["s3:GetObject", "s3:PutObject"], [f"{self._bucket}/*"]),
            _own_account(["s3:ListBucket"], [self._bucket]),
        ]
        if self._settings.profile is Profile.FULL:
            layers = f"arn:aws:s3:::prod-{Aws.REGION}-starport-layer-bucket/*"
            statements.append(_anybody(["s3:GetObject"], [layers]))
        return statements


def _own_account(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    """Whoever calls must be of this account, so that nobody's own credentials carry data out."""
    return iam.PolicyStatement(
        principals=[cast("iam.IPrincipal", iam.AnyPrincipal())],
        actions=actions,
        resources=resources,
        conditions={"StringEquals": {"aws:PrincipalAccount": Aws.ACCOUNT_ID}},
    )


def _anybody(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        principals=[cast("iam.IPrincipal", iam.AnyPrincipal())],
        actions=actions,
        resources=resources,
    )
