"""Clients: where they look for the account, and what they say when there is none."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.loaders import JSONFileLoader

from fanfold.adapters.aws.clients import ATTEMPTS, Clients
from fanfold.adapters.aws.failures import translated
from fanfold.errors import CloudError
from fanfold.run.grant import SessionCredentials
from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.messages_wire import tool
from tests.fakes.projects import PLAN, make_repository

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.fakes.messages_wire import Answer

SERVICES = (
    *("dynamodb", "events", "functions", "s3", "secrets"),
    *("queues", "state_machines", "identity"),
)
RUN = """
import sys
from fanfold.cli.main import main
code = main(sys.argv[1:])
loaded = {"boto3", "botocore", "fanfold.adapters.aws"} & set(sys.modules)
sys.exit(f"ended with {code}, imported {loaded}" if code or loaded else 0)
"""


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, profiles or region of whoever runs the tests."""
    for name in ("PROFILE", "REGION", "DEFAULT_REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_every_client_is_made_once_and_tries_a_bounded_number_of_times() -> None:
    clients = Clients(region="eu-central-1")
    for name in SERVICES:
        client = getattr(clients, name)
        assert client is getattr(clients, name)
        assert client.meta.region_name == "eu-central-1"
        assert client.meta.config.retries["total_max_attempts"] == ATTEMPTS
        assert client.meta.config.retries["mode"] == "standard"


def test_what_describes_the_services_is_read_once_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_again(*_: object) -> Any:
        raise AssertionError("read again")

    given = SessionCredentials("key", "secret", "token", datetime.now(UTC) + timedelta(hours=1))
    clients = Clients(region="eu-central-1")
    assert clients.s3
    monkeypatch.setattr(JSONFileLoader, "load_file", read_again)
    assert clients.with_credentials(lambda: given).s3


def test_the_standard_variables_say_where_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    client = Clients().dynamodb
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client.meta.region_name == "eu-west-1"


def test_no_region_names_the_mend() -> None:
    with pytest.raises(CloudError, match=r"^cannot open dynamodb: .*region.*fanfold\.toml"):
        _ = Clients().dynamodb


def test_an_unknown_profile_names_the_mend() -> None:
    with pytest.raises(CloudError, match=r"nobody.*; set `profile`"):
        _ = Clients(profile="nobody", region="eu-west-1").s3


def test_no_credentials_name_the_mend() -> None:
    with pytest.raises(CloudError, match="sign in"), translated("look"):
        Clients(region="eu-west-1").identity.get_caller_identity()


def test_a_local_run_with_the_anthropic_api_never_imports_boto3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def agent(body: dict[str, Any]) -> Answer:
        if len(body["messages"]) == 1:
            return tool("write", {"file_path": "a.txt", "content": "a\n"})
        return tool("submit", {"status": "done", "summary": "Wrote a.txt."})

    plan = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write a file\n"
    root = make_repository(tmp_path / "project", {PLAN: plan})
    key = "-".join(("fake", "key", "of", "the", "run"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ("-C", str(root), "run", PLAN, "--budget", "2", "--no-sandbox", "--check", "true")
    with FakeMessagesApi(default=agent, key=key) as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        done = subprocess.run(
            [sys.executable, "-c", RUN, *words, "--json"], capture_output=True, text=True
        )
        assert len(api.calls) == 2
    assert done.returncode == 0, done.stderr
