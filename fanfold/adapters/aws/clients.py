"""The AWS services as boto3 clients of one session, made when first used."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver, RefreshableCredentials

from fanfold.adapters.aws.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

    from fanfold.run.grant import SessionCredentials

ATTEMPTS = 6
CONNECTIONS = 32
CONNECT_S = 5.0
READ_S = 30.0
LONGEST_CALL_S = 930.0

_LONG = Config(read_timeout=LONGEST_CALL_S, retries={"mode": "standard", "total_max_attempts": 2})
_SIGNED = Config(
    signature_version="s3v4",
    s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
)
"""Also for the URLs that are signed: objects under a key of KMS take no older signature, and only
the bucket's name in its region leads through the endpoint of an isolated network."""


class Clients:
    """Every client of a process; threads may share it.

    Where to find the account (endpoint, credentials and what `profile` and `region` leave open) is
    boto3's to read from the environment, AWS_ENDPOINT_URL included. A request is tried `attempts`
    times with growing, random pauses when it is throttled, fails or is not answered.
    With `credentials`, all requests are signed with those that it gives, asked again before they
    expire; what it raises then reaches whoever makes the request.
    """

    def __init__(
        self,
        *,
        profile: str = "",
        region: str = "",
        attempts: int = ATTEMPTS,
        credentials: Callable[[], SessionCredentials] | None = None,
    ) -> None:
        self._profile, self._region, self._attempts = profile, region, attempts
        self._credentials = credentials
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=CONNECTIONS,
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
        )
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._made: dict[tuple[str, int], Any] = {}

    def with_credentials(self, give: Callable[[], SessionCredentials]) -> Clients:
        """Others that sign with what `give` hands out, again and again before it expires."""
        return Clients(
            profile=self._profile, region=self._region, attempts=self._attempts, credentials=give
        )

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
    def long_calls(self) -> LambdaClient:
        """For functions that answer after minutes: a call is not made again for being long."""
        return self._client("lambda", _LONG)

    @property
    def s3(self) -> S3Client:
        return self._client("s3", _SIGNED)

    @property
    def models(self) -> BedrockClient:
        return self._client("bedrock")

    @property
    def secrets(self) -> SecretsManagerClient:
        return self._client("secretsmanager")

    @property
    def queues(self) -> SQSClient:
        return self._client("sqs")

    @property
    def stacks(self) -> CloudFormationClient:
        return self._client("cloudformation")

    @property
    def state_machines(self) -> SFNClient:
        return self._client("stepfunctions")

    @property
    def identity(self) -> STSClient:
        return self._client("sts")

    def _client(self, service: str, special: Config | None = None) -> Any:
        """Making a client is not safe among threads; using one is. Raises `CloudError`."""
        key = (service, id(special))
        with self._lock:
            if key not in self._made:
                with translated(f"open {service}"):
                    session: Any = self._session or self._open()
                    self._session = session
                    config = self._config.merge(special) if special else self._config
                    self._made[key] = session.client(service, config=config)
            return self._made[key]

    def _open(self) -> boto3.Session:
        session: Any = botocore.session.Session()
        session.register_component("data_loader", _descriptions())
        if self._credentials is not None:
            resolver = CredentialResolver([_Given(self._credentials)])  # pyright: ignore[reportArgumentType]
            session.register_component("credential_provider", resolver)
        return boto3.Session(
            botocore_session=session,
            profile_name=self._profile or None,
            region_name=self._region or None,
        )


@cache
def _descriptions() -> Any:
    """Of the services, from disk once a process: to read them is most of what a client costs."""
    return botocore.session.Session().get_component("data_loader")


class _Given:
    """A provider of credentials that somebody hands out."""

    METHOD = CANONICAL_NAME = "fanfold"

    def __init__(self, give: Callable[[], SessionCredentials]) -> None:
        self._give = give

    def load(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(
            metadata=self._metadata(), refresh_using=self._metadata, method=self.METHOD
        )

    def _metadata(self) -> dict[str, str]:
        given = self._give()
        return {
            "access_key": given.access_key,
            "secret_key": given.secret_key,
            "token": given.token,
            "expiry_time": given.expires.isoformat(),
        }
