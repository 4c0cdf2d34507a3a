"""A Lambda function in Python with everything that one of ours has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.findings import acknowledge, acknowledge_wildcards
from infra.constructs.log_group import own_log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import Duration
    from aws_cdk import aws_ec2 as ec2

    from infra.bundle import Bundle
    from infra.settings import CloudSettings

LIVE = "live"


class Workplace:
    """The subnets and the security group of a function inside the VPC."""

    def __init__(
        self, vpc: ec2.IVpc, subnets: ec2.SubnetSelection, group: ec2.ISecurityGroup
    ) -> None:
        self.vpc, self.subnets, self.group = vpc, subnets, group

    def options(self) -> dict[str, Any]:
        return {
            "vpc": self.vpc,
            "vpc_subnets": self.subnets,
            "security_groups": [self.group],
            "allow_all_outbound": None,
        }


class PythonFunction(Construct):
    """An arm64 function with its own role, log group, traces, versions and alias.

    A state machine names `version`, which stays when a deploy replaces it, so that a live run ends
    on the code it began with; everybody else names the alias `live`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        name: str,
        handler: str,
        bundle: Bundle,
        environment: Mapping[str, str],
        boundary: iam.IManagedPolicy,
        statements: Sequence[iam.PolicyStatement] = (),
        timeout: Duration,
        memory_mb: int,
        reserved: int = 0,
        workplace: Workplace | None = None,
    ) -> None:
        """`handler` is a module of `functions`; `reserved` executions are set aside, 0 for none."""
        super().__init__(scope, construct_id)
        full_name = settings.name(name)
        self.log_group = own_log(self, "Log", name=f"/aws/lambda/{full_name}", settings=settings)
        self.role = iam.Role(
            self,
            "Role",
            role_name=full_name,
            assumed_by=cast("iam.IPrincipal", iam.ServicePrincipal("lambda.amazonaws.com")),
            permissions_boundary=boundary,
        )
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=full_name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=f"functions.{handler}.handler",
            code=lambda_.Code.from_asset(str(bundle.folder), asset_hash=bundle.digest),
            environment=dict(environment),
            role=cast("iam.IRole", self.role),
            timeout=timeout,
            memory_size=memory_mb,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=cast("logs.ILogGroup", self.log_group),
            logging_format=lambda_.LoggingFormat.JSON,
            reserved_concurrent_executions=reserved or None,
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
            **(workplace.options() if workplace else {}),
        )
        self.version = self.function.current_version
        self.every_version_arn = (
            f"arn:aws:lambda:{Aws.REGION}:{Aws.ACCOUNT_ID}:function:{full_name}:*"
        )
        """Also of versions that runs began on and that a deploy has replaced since."""
        self.live = lambda_.Alias(
            self, "Live", alias_name=LIVE, version=cast("lambda_.IVersion", self.version)
        )
        for statement in [*self._own_statements(workplace is not None), *statements]:
            self.role.add_to_policy(statement)
        self._acknowledge(statements)

    def _own_statements(self, inside_vpc: bool) -> list[iam.PolicyStatement]:
        own = [
            iam.PolicyStatement(
                sid="WriteOwnLog",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[self.log_group.log_group_arn],
            )
        ]
        if inside_vpc:
            own.append(
                iam.PolicyStatement(
                    sid="JoinNetwork",
                    actions=[
                        "ec2:CreateNetworkInterface",
                        "ec2:DeleteNetworkInterface",
                        "ec2:DescribeNetworkInterfaces",
                        "ec2:DescribeSubnets",
                    ],
                    resources=["*"],
                )
            )
        return own

    def _acknowledge(self, statements: Sequence[iam.PolicyStatement]) -> None:
        version = "The dependencies are locked and bundled for this version of Python."
        acknowledge(
            self,
            ("AwsSolutions-L1", version),
            ("Serverless-LambdaLatestVersion", version),
            ("Serverless-LambdaDLQ", "Who calls it waits for the answer or has dead letters."),
            (
                "AwsSolutions-IAM5[Resource::*]",
                "Traces, and network interfaces that do not exist yet, have no name.",
            ),
        )
        acknowledge_wildcards(
            self, statements, "Objects below prefixes, and executions of the one state machine."
        )
