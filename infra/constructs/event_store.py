"""The event streams and what is derived from them or coordinates their writers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from infra.settings import CloudSettings

STREAMS_INDEX = "streams"


class EventStore(Construct):
    """`events` is the only truth, `projections` are views of it, `coordination` expires."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: CloudSettings, key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._key = settings, key
        self.events = self._table(
            "Events",
            partition="stream",
            sort="version",
            stream=dynamodb.StreamViewType.NEW_IMAGE,
        )
        text = dynamodb.AttributeType.STRING
        self.events.add_global_secondary_index(
            index_name=STREAMS_INDEX,
            partition_key=dynamodb.Attribute(name="project", type=text),
            sort_key=dynamodb.Attribute(name="stream", type=text),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["began"],
        )
        self.projections = self._table("Projections", partition="view", sort="item")
        self.coordination = self._table(
            "Coordination", partition="kind", sort="name", ttl="expires_at"
        )

    def _table(
        self,
        construct_id: str,
        *,
        partition: str,
        sort: str,
        stream: dynamodb.StreamViewType | None = None,
        ttl: str | None = None,
    ) -> dynamodb.Table:
        text = dynamodb.AttributeType.STRING
        return dynamodb.Table(
            self,
            construct_id,
            table_name=self._settings.name(construct_id.lower()),
            partition_key=dynamodb.Attribute(name=partition, type=text),
            sort_key=dynamodb.Attribute(name=sort, type=text),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            stream=stream,
            time_to_live_attribute=ttl,
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
