"""What `fanfold doctor` says of the network."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from fanfold.cli.network import network_findings
from fanfold.settings import Network, Prepare, Settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_nothing_is_said_where_nothing_may_be_reached() -> None:
    assert list(network_findings(Settings())) == []


def test_hosts_that_do_not_answer_are_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        open_host = f"127.0.0.1:{server.getsockname()[1]}"
        settings = Settings(
            prepare=Prepare(network=(open_host, "*.example.com")),
            network=Network(allow=("127.0.0.1:1",)),
        )
        (finding,) = network_findings(settings)
    assert (finding.ok, finding.required) == (False, False)
    assert finding.detail == "no answer from 127.0.0.1:1"


def test_a_registry_with_a_password_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:" + "obviously-fake" + "@127.0.0.1:1/simple")
    told = list(network_findings(Settings(prepare=Prepare(network=("pypi",)))))
    assert [finding.name for finding in told] == ["registry", "network"]
    assert "obviously-fake" not in str(told)
