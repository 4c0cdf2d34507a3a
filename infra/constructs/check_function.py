"""The function in which checks run: tools and a tree, and no right to anything but its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Aws, Duration, RemovalPolicy, Size
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.boundary import JOIN
from infra.constructs.findings import acknowledge
from infra.constructs.log_group import own_log
from infra.constructs.python_function import LIVE

if TYPE_CHECKING:
    from infra.bundle import Bundle
    from infra.constructs.python_function import Workplace
    from infra.settings import CloudSettings

NAME = "check"
UNTRACED = "CloudFormation-Validate::functions_are_arm64_traced_and_log_where_they_are_told"
TIMEOUT_S, MEMORY_MB, DISK_GB = 810, 3008, 8
"""Its caller waits for it, and has a quarter of an hour itself."""


class CheckFunction(Construct):
    """An arm64 function from an image, in a subnet from which objects can be had by signed URLs.

    Lambda itself joins it to the network; code in the function is denied those very rights.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        context: Bundle,
        boundary: iam.IManagedPolicy,
        workplace: Workplace,
    ) -> None:
        super().__init__(scope, construct_id)
        full_name = settings.name(NAME)
        log = own_log(self, "Log", name=f"/aws/lambda/{full_name}", settings=settings)
        self.role = iam.Role(
            self,
            "Role",
            role_name=full_name,
            assumed_by=cast("iam.IPrincipal", iam.ServicePrincipal("lambda.amazonaws.com")),
            permissions_boundary=boundary,
        )
        self.function = lambda_.DockerImageFunction(
            self,
            "Function",
            function_name=full_name,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.DockerImageCode.from_image_asset(
                str(context.folder),
                file="containers/check/Dockerfile",
                platform=ecr_assets.Platform.LINUX_ARM64,
                extra_hash=context.digest,
                build_args=settings.image_arguments(),
            ),
            role=cast("iam.IRole", self.role),
            timeout=Duration.seconds(TIMEOUT_S),
            memory_size=MEMORY_MB,
            ephemeral_storage_size=Size.gibibytes(DISK_GB),
            log_group=cast("logs.ILogGroup", log),
            logging_format=lambda_.LoggingFormat.JSON,
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
            **workplace.options(),
        )
        self.live = lambda_.Alias(
            self,
            "Live",
            alias_name=LIVE,
            version=cast("lambda_.IVersion", self.function.current_version),
        )
        for statement in self._statements(log.log_group_arn, full_name):
            self.role.add_to_policy(statement)
        acknowledge(
            self,
            ("Serverless-LambdaDLQ", "Who calls it waits for the answer."),
            ("Serverless-LambdaTracing", "Traces would be a right; its caller is traced."),
            (UNTRACED, "Traces would be a right; its caller is traced."),
            ("AwsSolutions-IAM5[Resource::*]", "Network interfaces that do not exist yet."),
        )

    def _statements(self, log_arn: str, full_name: str) -> list[iam.PolicyStatement]:
        function = f"arn:aws:lambda:{Aws.REGION}:{Aws.ACCOUNT_ID}:function:{full_name}"
        return [
            iam.PolicyStatement(
                sid="WriteOwnLog",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[log_arn],
            ),
            iam.PolicyStatement(sid="JoinNetwork", actions=JOIN, resources=["*"]),
            iam.PolicyStatement(
                sid="NotFromInside",
                effect=iam.Effect.DENY,
                actions=JOIN,
                resources=["*"],
                conditions={"ArnEquals": {"lambda:SourceFunctionArn": function}},
            ),
        ]
