"""What outlives every run: events, artifacts, and the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms

from infra.constructs.artifact_bucket import ArtifactBucket
from infra.constructs.event_store import EventStore
from infra.constructs.intake import Intake

if TYPE_CHECKING:
    from constructs import Construct

    from infra.settings import CloudSettings

REQUEST_PREFIX = "requests/"


class DataStack(Stack):
    """The key, the event store, the artifact bucket and the intake."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: CloudSettings) -> None:
        super().__init__(scope, construct_id, description="fanfold: events, artifacts and intake")
        key = kms.Key(
            self,
            "Key",
            alias=settings.name("data"),
            description="Encrypts the events and artifacts of fanfold",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        # jsii names a parameter of `add_alias` differently in the class and in its interface.
        self.key = cast("kms.IKey", key)
        self.event_store = EventStore(self, "EventStore", settings=settings, key=self.key)
        self.artifacts = ArtifactBucket(
            self, "ArtifactBucket", settings=settings, key=self.key, request_prefix=REQUEST_PREFIX
        )
        self.intake = Intake(
            self,
            "Intake",
            settings=settings,
            artifacts=self.artifacts.bucket,
            request_prefix=REQUEST_PREFIX,
            start_timeout=Duration.seconds(30),
        )
        CfnOutput(self, "EventsTable", value=self.event_store.events.table_name)
        CfnOutput(self, "ProjectionsTable", value=self.event_store.projections.table_name)
        CfnOutput(self, "CoordinationTable", value=self.event_store.coordination.table_name)
        CfnOutput(self, "ArtifactBucketName", value=self.artifacts.bucket.bucket_name)
        CfnOutput(self, "EventBus", value=self.intake.bus.event_bus_name)
