"""Bedrock's own: the route, the id, the signature, the chain of credentials."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.claude.bedrock import BedrockModel
from fanfold.bedrock import bedrock_id, routing_of
from fanfold.bootstrap import models_of, prices_of
from fanfold.errors import InvalidSettings, MissingKey, ModelDenied
from fanfold.ports import ModelRequest
from fanfold.run.attempt import Usage
from fanfold.settings import Credentials, Model, Settings, from_environment
from tests.conformance.test_model import CONTEXT
from tests.fakes.bedrock import REGION, SECRET, TOKEN, sign_in, well_signed
from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.messages_wire import Raw, Refusal, text

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = ModelRequest(
    model="claude-sonnet-5-5",
    system=[],
    tools=[],
    messages=[{"role": "user", "content": "Begin."}],
    max_tokens=100,
)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMessagesApi]:
    sign_in(monkeypatch)
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    with FakeMessagesApi(signature=well_signed) as fake:
        yield fake


def test_request_takes_the_messages_route_with_the_profile_of_the_geography(
    api: FakeMessagesApi,
) -> None:
    BedrockModel(base_url=api.url).send(REQUEST, timeout_s=5)
    (seen,) = api.calls
    assert seen.path == "/anthropic/v1/messages"
    assert seen.body["model"] == "eu.anthropic.claude-sonnet-5-5"
    assert f"/{REGION}/bedrock/aws4_request" in seen.headers["authorization"]
    assert seen.headers["x-amz-security-token"] == TOKEN


@pytest.mark.parametrize("tail", ["/", "/anthropic", "/anthropic/"])
def test_address_may_name_the_route_already(api: FakeMessagesApi, tail: str) -> None:
    BedrockModel(base_url=api.url + tail).send(REQUEST, timeout_s=5)
    assert api.calls[0].path == "/anthropic/v1/messages"


def test_wrong_secret_is_denied_with_the_mend(
    api: FakeMessagesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(ModelDenied, match="check the AWS credentials, and that they may call"):
        BedrockModel(base_url=api.url).send(REQUEST, timeout_s=5)
    assert len(api.calls) == 1


def test_other_region_does_not_fit_the_signature(api: FakeMessagesApi) -> None:
    with pytest.raises(ModelDenied):
        BedrockModel(region="us-east-1", base_url=api.url).send(REQUEST, timeout_s=5)
    assert api.calls[0].body["model"] == "us.anthropic.claude-sonnet-5-5"


def test_bedrock_key_goes_as_bearer_token(
    api: FakeMessagesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    api.signature, api.key = None, "-".join(("a", "bedrock", "key"))
    BedrockModel(base_url=api.url, bearer_token=api.key).send(REQUEST, timeout_s=5)
    assert api.calls[0].headers["authorization"] == f"Bearer {api.key}"


def test_secrets_that_the_server_echoes_are_not_told(api: FakeMessagesApi) -> None:
    api.replies.append(Refusal(400, "invalid_request_error", f"bad token {TOKEN} of {SECRET}"))
    with pytest.raises(Exception, match="«key»") as raised:
        BedrockModel(base_url=api.url).send(REQUEST, timeout_s=5)
    assert TOKEN not in str(raised.value)
    assert SECRET not in str(raised.value)


NO_PROFILE = (
    b'{"message": "Invocation of model ID x with on-demand throughput isn\xe2\x80\x99t supported."}'
)


def test_model_that_wants_a_profile_is_denied_for_good(api: FakeMessagesApi) -> None:
    api.replies.append(Raw(NO_PROFILE, 400, "application/json"))
    with pytest.raises(ModelDenied, match=r"model\.region and model\.routing"):
        BedrockModel(base_url=api.url).send(REQUEST, timeout_s=5)


def test_nobody_signed_in_is_said_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(monkeypatch, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    with pytest.raises(MissingKey, match="no AWS credentials"):
        BedrockModel()


def test_missing_region_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(monkeypatch, "AWS_REGION", "AWS_DEFAULT_REGION")
    with pytest.raises(InvalidSettings, match="AWS_REGION"):
        BedrockModel()


@pytest.mark.parametrize(
    ("region", "routing"),
    [
        ("us-east-1", "us"),
        ("us-west-1", "us"),
        ("us-gov-west-1", "us-gov"),
        ("eu-west-2", "eu"),
        ("ap-northeast-1", "jp"),
        ("ap-southeast-2", "au"),
        ("sa-east-1", "global"),
    ],
)
def test_calls_stay_in_the_geography_of_their_region(region: str, routing: str) -> None:
    assert routing_of(region) == routing


@pytest.mark.parametrize("name", ["us.anthropic.claude-opus-5-5", "arn:aws:bedrock:us-east-1::x"])
def test_id_of_bedrock_stays_as_it_is(name: str) -> None:
    assert bedrock_id(name, "eu") == name


@pytest.mark.parametrize(
    "variable", ["ANTHROPIC_BEDROCK_BASE_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
)
def test_settings_choose_bedrock(
    api: FakeMessagesApi, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("FANFOLD_MODEL_PROVIDER", "bedrock")
    monkeypatch.setenv("FANFOLD_MODEL_ROUTING", "global")
    monkeypatch.setenv(variable, api.url)
    settings = from_environment()
    reply = models_of(settings, Credentials())(CONTEXT).send(REQUEST, timeout_s=5)
    assert reply.model == "global.anthropic.claude-sonnet-5-5"
    assert prices_of(settings).cost("claude-sonnet-5-5", Usage(input=1_000_000)) == 2_000_000


def test_a_geography_costs_a_tenth_more(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(monkeypatch)
    prices = prices_of(Settings(model=Model(provider="bedrock")))
    assert prices.cost("claude-sonnet-5-5", Usage(input=1_000_000)) == 2_200_000


def test_unknown_routing_is_refused() -> None:
    with pytest.raises(InvalidSettings, match=r"model\.routing 'mars' is none of us, eu"):
        from_environment({"FANFOLD_MODEL_ROUTING": "mars"})


def test_bedrock_needs_no_boto3(api: FakeMessagesApi) -> None:
    api.default = text("Hi.")
    program = f"""
import sys
from fanfold.adapters.claude.bedrock import BedrockModel
from fanfold.ports import ModelRequest
request = ModelRequest("claude-sonnet-5-5", [], [], [{{"role": "user", "content": "x"}}], 10)
BedrockModel(base_url={api.url!r}).send(request, timeout_s=20)
sys.exit(1 if "boto3" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
