"""An AWS account in memory: moto, repaired, with the tables and the bucket that fanfold needs."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from moto import mock_aws

from fanfold.adapters.aws.clients import Clients
from fanfold.adapters.aws.event_store import INDEX
from tests.kit.dynamodb import one_at_a_time
from tests.kit.s3 import whole_objects

if TYPE_CHECKING:
    from collections.abc import Generator

REGION = "us-east-1"
EVENTS, PROJECTIONS, COORDINATION, BUCKET = "events", "projections", "coordination", "artifacts"


@contextmanager
def account() -> Generator[Clients]:
    """A fresh account; the names in it are this module's."""
    with mock_aws(), one_at_a_time(), whole_objects():
        clients = shared_clients()
        _create_tables(clients)
        clients.s3.create_bucket(Bucket=BUCKET)
        yield clients


@cache
def shared_clients() -> Clients:
    """Made once a process: clients are costly, and hold nothing of an account."""
    return Clients(region=REGION)


def _create_tables(clients: Clients) -> None:
    _create_table(
        clients,
        EVENTS,
        ("stream", "version"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": _keys("project", "stream"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["began"]},
            }
        ],
        AttributeDefinitions=_texts("stream", "version", "project"),
    )
    _create_table(clients, PROJECTIONS, ("view", "item"))
    _create_table(clients, COORDINATION, ("kind", "name"))


def _create_table(clients: Clients, name: str, keys: tuple[str, str], **more: Any) -> None:
    settings: dict[str, Any] = {"AttributeDefinitions": _texts(*keys), **more}
    clients.dynamodb.create_table(
        TableName=name, KeySchema=_keys(*keys), BillingMode="PAY_PER_REQUEST", **settings
    )


def _keys(partition: str, sort: str) -> Any:
    kinds = ((partition, "HASH"), (sort, "RANGE"))
    return [{"AttributeName": name, "KeyType": kind} for name, kind in kinds]


def _texts(*names: str) -> Any:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]
