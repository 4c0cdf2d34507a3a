"""Claude on Amazon Bedrock: the Messages API of `bedrock-runtime`, signed as AWS wants it.

It is the one route to Bedrock's Messages API that has a VPC endpoint, and it streams as the
Anthropic API does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.adapters.claude.failures import BEDROCK
from fanfold.adapters.claude.messages import MessagesModel, checked_url, http_client
from fanfold.bedrock import bedrock_id, routing_of
from fanfold.errors import InvalidSettings, MissingKey, ModelDenied

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic.lib.bedrock import AnthropicBedrockMantle
    from botocore.credentials import Credentials
    from botocore.session import Session
    from httpx2 import Request

    from fanfold.ports import ModelReply, ModelRequest

SERVICE = "bedrock"
ROUTE = "/anthropic"
_UNSIGNED = frozenset({"connection", "user-agent", "content-length", "accept-encoding"})


class BedrockModel(MessagesModel):
    """Models by their plain names, `claude-sonnet-5-5`, or by Bedrock's own ids.

    Credentials come from the ordinary AWS chain unless `bearer_token` is a Bedrock API key. What
    `region` and `routing` leave open is the chain's, and the geography of the region. Raises
    `InvalidSettings` without a region or without botocore, and `MissingKey` without credentials.
    """

    def __init__(
        self,
        *,
        region: str = "",
        routing: str = "",
        base_url: str | None = None,
        bearer_token: str | None = None,
        silence_s: float = 120.0,
    ) -> None:
        session = aws_session()
        region = region or region_of(session)
        self._routing = routing or routing_of(region)
        name = "ANTHROPIC_BEDROCK_BASE_URL"
        root = checked_url(name, base_url or f"https://bedrock-runtime.{region}.amazonaws.com")
        url = root.rstrip("/").removesuffix(ROUTE) + ROUTE
        credentials = None if bearer_token else _credentials(session)

        def connect() -> AnthropicBedrockMantle:
            from anthropic.lib.bedrock import AnthropicBedrockMantle

            return AnthropicBedrockMantle(
                api_key=bearer_token,
                skip_auth=bearer_token is None,
                aws_region=region,
                base_url=url,
                max_retries=0,
                http_client=http_client(credentials and _signer(credentials, region)),
            )

        def secrets() -> tuple[str, ...]:
            if credentials is None:
                return (bearer_token or "",)
            frozen = credentials.get_frozen_credentials()
            return (frozen.secret_key or "", frozen.token or "")

        super().__init__(connect, silence_s=silence_s, secrets=secrets, mends=BEDROCK)

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        named = bedrock_id(request.model, self._routing)
        return super().send(msgspec.structs.replace(request, model=named), timeout_s=timeout_s)


def aws_session() -> Session:
    """What the ordinary credential chain is read through. Raises `InvalidSettings`."""
    try:
        from botocore.session import get_session
    except ModuleNotFoundError:
        raise InvalidSettings(
            "model.provider 'bedrock' needs the AWS packages: install fanfold[aws]"
        ) from None
    return get_session()


def region_of(session: Session) -> str:
    """The region that environment or profile name. Raises `InvalidSettings` where neither does."""
    region = session.get_config_variable("region")
    if not region:
        raise InvalidSettings(
            "model.provider 'bedrock' needs a region: set AWS_REGION, or region under [model] of"
            " fanfold.toml"
        )
    return region


def _credentials(session: Session) -> Credentials:
    found = session.get_credentials()
    if found is None:
        raise MissingKey("no AWS credentials for Bedrock: sign in (`aws sso login`) or set them")
    return found


def _signer(credentials: Credentials, region: str) -> Callable[[Request], Request]:
    """Signature Version 4 of each request, with credentials as fresh as the chain keeps them."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError

    def sign(request: Request) -> Request:
        signed = {k: v for k, v in request.headers.items() if k.lower() not in _UNSIGNED}
        draft = AWSRequest(request.method, str(request.url), signed, request.read())
        try:
            SigV4Auth(credentials, SERVICE, region).add_auth(draft)
        except BotoCoreError as error:
            raise ModelDenied(f"no AWS credentials for Bedrock: {error}") from None
        request.headers.update(dict(draft.headers.items()))
        return request

    return sign
