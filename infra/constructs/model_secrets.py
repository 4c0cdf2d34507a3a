"""The key of the model API, which people put in, and what passes to its proxy are sealed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.constructs.findings import acknowledge

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from infra.constructs.python_function import PythonFunction
    from infra.settings import CloudSettings

ROTATE_DAYS = 90
KEY, PASS = "model-key", "model-pass"


class ModelSecrets(Construct):
    """Both are drawn at random at first, so that no template ever holds one."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: CloudSettings, key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id)
        self.key = secretsmanager.Secret(
            self,
            "Key",
            secret_name=settings.name(KEY),
            description="Put the key of the model API in here; rotate it by staging the next",
            encryption_key=key,
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.sealing = secretsmanager.Secret(
            self,
            "Pass",
            secret_name=settings.name(PASS),
            description="Seals what workers show the proxy of the model API",
            encryption_key=key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.key,
            (
                "AwsSolutions-SMG4",
                "Its schedule is in the stack of the function that rotates it.",
            ),
        )
        acknowledge(
            self.sealing,
            (
                "AwsSolutions-SMG4",
                "It leaves no function and no proxy, and a new one would cut off running attempts.",
            ),
        )

    def rotate_with(self, function: PythonFunction) -> None:
        """Every ninety days, or when somebody asks for it; the first key is nobody's to rotate."""
        caller = iam.ServicePrincipal("secretsmanager.amazonaws.com")
        function.live.add_permission(
            "Rotate",
            principal=cast("iam.IPrincipal", caller),
            source_account=Aws.ACCOUNT_ID,
            source_arn=self.key.secret_arn,
        )
        secretsmanager.CfnRotationSchedule(
            function,
            "Rotation",
            secret_id=self.key.secret_arn,
            rotation_lambda_arn=function.live.function_arn,
            rotate_immediately_on_update=False,
            rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                automatically_after_days=ROTATE_DAYS
            ),
        )
