"""The prefix lists of a region, as a deployment looks them up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from infra.settings import CloudSettings
from tools import prefix_lists

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@mock_aws
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-2"])
def test_every_region_has_its_own(region: str) -> None:
    session: Any = boto3.Session(region_name=region)
    found = prefix_lists.prefix_lists(session.client("ec2"))
    assert len(set(found)) == 2
    assert msgspec.convert({"prefix_lists": found}, CloudSettings).prefix_lists == tuple(found)


@mock_aws
def test_a_region_without_one_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(prefix_lists, "SERVICES", ("s3", "telepathy"))
    prefix_lists.main()
    told = capsys.readouterr()
    assert json.loads(told.out) == []
    assert "com.amazonaws.us-east-1.telepathy" in told.err


def test_workers_may_reach_those_that_were_looked_up(
    synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    folder = synthesise(tmp_path, prefix_lists='["pl-0a", "pl-0b"]')
    template: Any = json.loads((folder / "fanfold-dev-network.template.json").read_text())
    rules = [
        r["Properties"]["DestinationPrefixListId"]
        for r in template["Resources"].values()
        if "DestinationPrefixListId" in r.get("Properties", {})
    ]
    assert sorted(rules) == ["pl-0a", "pl-0a", "pl-0b"]
    assert "PrefixLists" not in json.dumps(template.get("Mappings", {}))
