"""The network of the agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Stack

from infra.constructs.network import Network

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_s3 as s3
    from constructs import Construct

    from infra.settings import CloudSettings
    from infra.stacks.data import DataStack


class NetworkStack(Stack):
    """What idles at a price: the endpoints."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: CloudSettings, data: DataStack
    ) -> None:
        super().__init__(scope, construct_id, description="fanfold: the network of the agents")
        store = data.event_store
        self.network = Network(
            self,
            "Network",
            settings=settings,
            tables=[
                cast("dynamodb.ITable", table)
                for table in (store.events, store.projections, store.coordination)
            ],
            bucket=cast("s3.IBucket", data.artifacts.bucket),
        )
