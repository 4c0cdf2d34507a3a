"""The AWS services as boto3 clients of one session, made when first used."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from fanfold.adapters.aws.failures import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

ATTEMPTS = 6
CONNECTIONS = 32
CONNECT_S = 5.0
READ_S = 30.0


class Clients:
    """Every client of a process; threads may share it.

    Where to find the account (endpoint, credentials and what `profile` and `region` leave open) is
    boto3's to read from the environment, AWS_ENDPOINT_URL included. A request is tried `attempts`
    times with growing, random pauses when it is throttled, fails or is not answered.
    """

    def __init__(self, *, profile: str = "", region: str = "", attempts: int = ATTEMPTS) -> None:
        self._profile, self._region = profile or None, region or None
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=CONNECTIONS,
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
        )
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._made: dict[str, Any] = {}

    @property
    def dynamodb(self) -> DynamoDBClient:
        return self._client("dynamodb")

    @property
    def events(self) -> EventBridgeClient:
        return self._client("events")

    @property
    def functions(self) -> LambdaClient:
        return self._client("lambda")

    @property
    def s3(self) -> S3Client:
        return self._client("s3")

    @property
    def secrets(self) -> SecretsManagerClient:
        return self._client("secretsmanager")

    @property
    def queues(self) -> SQSClient:
        return self._client("sqs")

    @property
    def state_machines(self) -> SFNClient:
        return self._client("stepfunctions")

    @property
    def identity(self) -> STSClient:
        return self._client("sts")

    def _client(self, service: str) -> Any:
        """Making a client is not safe among threads; using one is. Raises `CloudError`."""
        with self._lock:
            if service not in self._made:
                with translated(f"open {service}"):
                    self._session = self._session or boto3.Session(
                        profile_name=self._profile, region_name=self._region
                    )
                    session: Any = self._session
                    self._made[service] = session.client(service, config=self._config)
            return self._made[service]
