"""Clients of the services on the loopback."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

ClientOf = Callable[[str], Any]
REGION, ACCOUNT = "us-east-1", "123456789012"


def variables(endpoint: str) -> dict[str, str]:
    """What leads a process to the services at `endpoint`, and to nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }


def clients_of(endpoint: str) -> ClientOf:
    """One client a service, for any number of threads; nothing is tried twice."""
    session: Any = boto3.Session(
        aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION
    )
    config = Config(
        max_pool_connections=64,
        read_timeout=900,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )

    @cache
    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint, config=config)

    return client
