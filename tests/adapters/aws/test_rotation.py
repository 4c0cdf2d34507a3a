"""The function that Secrets Manager calls four times, on its versions and over real HTTP."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.aws.vault import SecretVault
from fanfold.adapters.claude.key_check import is_accepted
from fanfold.errors import CloudError, MissingKey, ModelUnavailable
from fanfold.steps.rotate import CURRENT, NEXT, PENDING, Stage
from functions.rotate import handler
from tests.fakes.serving import serving
from tests.kit.faults import faults
from tests.kit.step_functions import Invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from fanfold.adapters.aws.clients import Clients

NAME = "model-key"
OLD, NEW = "-".join(("sk", "old")), "-".join(("sk", "new"))


@contextmanager
def api(*accepted: str, status: int = 200) -> Generator[str]:
    """An API that lists models for who has one of the keys."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("x-api-key") in accepted and self.path == "/v1/models?limit=1"
            self.send_response(status if known else 401)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server) as url:
        yield url


@pytest.fixture
def secret(clients: Clients) -> str:
    """A secret with a key in use."""
    return clients.secrets.create_secret(Name=NAME, SecretString=OLD)["ARN"]


def stage_next(clients: Clients, secret: str, key: str) -> None:
    clients.secrets.put_secret_value(SecretId=secret, SecretString=key, VersionStages=[NEXT])


def rotation(clients: Clients, secret: str, url: str) -> Callable[[Stage], None]:
    token = str(uuid.uuid4())

    def call(stage: Stage) -> None:
        event = {"Step": stage.value, "SecretId": secret, "ClientRequestToken": token}
        accepts = partial(is_accepted, url)
        handler(event, Invocation("rotate"), SecretVault(clients.secrets), accepts)  # pyright: ignore[reportArgumentType]

    return call


def test_four_calls_bring_the_staged_key_into_use(clients: Clients, secret: str) -> None:
    stage_next(clients, secret, NEW)
    vault = SecretVault(clients.secrets)
    with api(NEW) as url:
        call = rotation(clients, secret, url)
        for stage in Stage:
            assert vault.value(secret, CURRENT) == OLD
            call(stage)
            call(stage)
    assert vault.value(secret, CURRENT) == NEW
    assert vault.value(secret, "AWSPREVIOUS") == OLD
    assert vault.version(secret, NEXT) is None


def test_a_key_that_the_api_refuses_is_never_used(
    clients: Clients, secret: str, capfd: pytest.CaptureFixture[str]
) -> None:
    stage_next(clients, secret, NEW)
    with api(OLD) as url:
        call = rotation(clients, secret, url)
        call(Stage.CREATE)
        with pytest.raises(MissingKey):
            call(Stage.TEST)
    assert SecretVault(clients.secrets).value(secret, CURRENT) == OLD
    assert NEW not in "".join(capfd.readouterr())


@pytest.mark.parametrize("status", [500, 529, 404])
def test_an_api_that_does_not_say_is_asked_again_later(
    clients: Clients, secret: str, status: int
) -> None:
    stage_next(clients, secret, NEW)
    with api(NEW, status=status) as url:
        call = rotation(clients, secret, url)
        call(Stage.CREATE)
        with pytest.raises(ModelUnavailable, match=str(status)):
            call(Stage.TEST)
    assert SecretVault(clients.secrets).value(secret, PENDING) == NEW


def test_an_api_that_is_not_reached_is_no_refusal() -> None:
    with pytest.raises(ModelUnavailable, match="not reached") as error:
        is_accepted("http://127.0.0.1:9", NEW)
    assert NEW not in str(error.value)


def test_what_secrets_manager_refuses_is_told(clients: Clients, secret: str) -> None:
    vault = SecretVault(clients.secrets)
    with faults() as injected:
        injected.refuse("GetSecretValue", "AccessDeniedException")
        with pytest.raises(CloudError, match="read secret"):
            vault.value(secret, CURRENT)
