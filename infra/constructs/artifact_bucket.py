"""Where plans, patches, snapshots and results lie, and who read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Acknowledgment, Aws, Duration, RemovalPolicy, Validations
from aws_cdk import aws_s3 as s3
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from infra.settings import CloudSettings

SNAPSHOT_DAYS = 90
REQUEST_DAYS = 30
SUPERSEDED_DAYS = 30
ACCESS_LOG_DAYS = 90


class ArtifactBucket(Construct):
    """A versioned, encrypted bucket that announces new objects, with a log of every access."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        key: kms.IKey,
        request_prefix: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.access_log = self._bucket(
            "AccessLog",
            name=settings.name("access-log"),
            encryption=s3.BucketEncryption.S3_MANAGED,
            lifecycle_rules=[
                s3.LifecycleRule(id="expire", expiration=Duration.days(ACCESS_LOG_DAYS))
            ],
        )
        Validations.of(self.access_log).acknowledge(
            Acknowledgment(
                id="AwsSolutions-S1",
                reason="It is the access log; a log of itself would never end.",
            )
        )
        self.bucket = self._bucket(
            "Artifacts",
            name=settings.name("artifacts"),
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            versioned=True,
            server_access_logs_bucket=self.access_log,
            lifecycle_rules=[
                _expiry("snapshots", "snapshots/", SNAPSHOT_DAYS),
                _expiry("dependencies", "deps/", SNAPSHOT_DAYS),
                _expiry("requests", request_prefix, REQUEST_DAYS),
                s3.LifecycleRule(
                    id="superseded",
                    noncurrent_version_expiration=Duration.days(SUPERSEDED_DAYS),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                    expired_object_delete_marker=True,
                ),
            ],
        )
        self._announce_objects()

    def _bucket(self, construct_id: str, *, name: str, **options: Any) -> s3.Bucket:
        return s3.Bucket(
            self,
            construct_id,
            bucket_name=f"{name}-{Aws.ACCOUNT_ID}-{Aws.REGION}",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=RemovalPolicy.RETAIN,
            **options,
        )

    def _announce_objects(self) -> None:
        """Send object events to EventBridge; `event_bridge_enabled` would add a function for it."""
        bucket = cast("s3.CfnBucket", self.bucket.node.default_child)
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )


def _expiry(rule_id: str, prefix: str, days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(id=rule_id, prefix=prefix, expiration=Duration.days(days))
