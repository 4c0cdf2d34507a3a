"""What the doctor says of the account, against one in memory."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

import pytest

from fanfold.settings import Deployment, Offer, own_version
from tests.fakes.projects import fanfold
from tests.fakes.serving import serving
from tests.fakes.tracks import OPEN_TRACK, letters_repository
from tests.kit.account import shared_clients
from tests.kit.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "anthropic.claude-sonnet-5-5"
OPEN = {
    "modelId": MODEL,
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}


class Unknown(ThreadingHTTPServer):
    """The two services' requests that moto does not know, by the beginning of their paths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Any] = {
            "/foundation-model-availability/": OPEN,
            "/2016-08-19/account-settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
        }


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = cast("Unknown", self.server).answers.items()
        found = next((a for path, a in known if self.path.startswith(path)), None)
        body = json.dumps(found or {"message": "not allowed"}).encode()
        self.send_response(200 if found else 403)
        self.send_header("x-amzn-errortype", "AccessDeniedException")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def services() -> Iterator[Unknown]:
    server = Unknown()
    with serving(server):
        yield server


@pytest.fixture
def root(tmp_path: Path, services: Unknown, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    address = f"http://127.0.0.1:{services.server_port}"
    with served() as variables:
        # Now: this process's own clients, kept for other tests, lead to no address.
        assert shared_clients().stacks
        ours = {"AWS_ENDPOINT_URL_BEDROCK": address, "AWS_ENDPOINT_URL_LAMBDA": address}
        for name, value in {**variables, **ours, "FANFOLD_CLOUD_STACK": "acme-prod"}.items():
            monkeypatch.setenv(name, value)
        yield letters_repository(tmp_path / "project", OPEN_TRACK)


def deploy(version: str = "", provider: str = "bedrock") -> None:
    deployment = Deployment(
        events_table="events",
        projections_table="projections",
        coordination_table="coordination",
        artifact_bucket="artifacts",
        event_bus="bus",
        state_machine="arn:aws:states:us-east-1:123456789012:stateMachine:run",
        version=version or own_version(),
    )
    offer = Offer(profile="lite", provider=provider, models=(MODEL,), attempts=32)
    told = {**deployment.outputs(), **offer.outputs()}
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in told.items()},
    }
    shared_clients().stacks.create_stack(
        StackName="acme-prod-control", TemplateBody=json.dumps(template)
    )


def look(root: Path) -> dict[str, dict[str, Any]]:
    told = fanfold(root, "doctor", "--engine", "aws", "--json").json
    return {check["name"]: check for check in told["checks"]}


def test_a_whole_account_is_told_line_by_line(root: Path) -> None:
    deploy()
    found = look(root)
    assert found["identity"]["detail"].startswith("arn:aws:sts::123456789012:")
    assert "us-east-1" in found["region"]["detail"]
    assert found["deployment"]["detail"] == f"acme-prod has fanfold {own_version()}, profile lite"
    assert found["concurrency"]["ok"]
    assert found["model access"]["detail"] == f"{MODEL}: may be called"
    assert "key" not in found


def test_what_is_missing_comes_with_its_mend(root: Path, services: Unknown) -> None:
    assert "make deploy" in look(root)["deployment"]["mend"]
    deploy(version="0.0.1")
    services.answers["/2016-08-19/account-settings"] = {
        "AccountLimit": {"ConcurrentExecutions": 10}
    }
    refused = {**OPEN, "agreementAvailability": {"status": "NOT_AVAILABLE"}}
    services.answers["/foundation-model-availability/"] = refused
    found = look(root)
    assert (found["deployment"]["ok"], "0.0.1" in found["deployment"]["detail"]) == (False, True)
    assert (found["concurrency"]["ok"], found["concurrency"]["required"]) == (False, False)
    assert "request-service-quota-increase" in found["concurrency"]["mend"]
    assert (found["model access"]["ok"], "terms" in found["model access"]["detail"]) == (
        False,
        True,
    )
    assert "Model catalog" in found["model access"]["mend"]


def test_what_may_not_be_looked_at_is_told(root: Path, services: Unknown) -> None:
    deploy()
    services.answers.clear()
    found = look(root)
    assert "policy `<stack>-user`" in found["model access"]["mend"]
    assert not found["concurrency"]["ok"]


def test_another_provider_needs_no_access_to_models(root: Path) -> None:
    deploy(provider="anthropic")
    assert "model access" not in look(root)


def test_nobody_is_signed_in(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FANFOLD_CLOUD_PROFILE", "nobody")
    found = look(root)
    assert not found["identity"]["ok"]
    assert "aws sso login" in found["identity"]["mend"]
    assert "deployment" not in found
