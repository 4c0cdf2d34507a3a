"""Artifacts in S3: what goes over the wire, and answers that break off."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.aws.artifact_store import READS, S3ArtifactStore
from fanfold.adapters.aws.clients import ATTEMPTS
from fanfold.errors import ArtifactMissing, CloudError, CloudUnavailable, FanfoldError
from tests.kit.account import BUCKET
from tests.kit.faults import faults

if TYPE_CHECKING:
    from fanfold.adapters.aws.clients import Clients

KEY = "runs/r1/plan.md"


@pytest.fixture
def store(clients: Clients) -> S3ArtifactStore:
    return S3ArtifactStore(clients.s3, BUCKET)


def test_the_object_carries_its_sha256(clients: Clients, store: S3ArtifactStore) -> None:
    store.put(KEY, b"plan")
    head = clients.s3.head_object(Bucket=BUCKET, Key=KEY, ChecksumMode="ENABLED")
    expected = base64.b64encode(hashlib.sha256(b"plan").digest()).decode()
    assert head.get("ChecksumSHA256") == expected


def test_more_keys_than_a_page_are_listed_and_deleted(store: S3ArtifactStore) -> None:
    keys = [f"runs/r1/{n:04}" for n in range(1005)]
    for key in keys:
        store.put(key, b"")
    assert store.list("runs/r1") == keys
    assert store.delete("runs/r1") == 1005
    assert store.list("runs") == []


def test_an_answer_that_breaks_off_is_read_again(store: S3ArtifactStore) -> None:
    store.put(KEY, b"a plan of some length")
    with faults() as injected:
        injected.cut_short("GetObject", READS - 1)
        assert store.get(KEY) == b"a plan of some length"
        assert len(injected.sent) == READS


def test_an_answer_that_always_breaks_off_is_an_error(store: S3ArtifactStore) -> None:
    store.put(KEY, b"a plan of some length")
    with faults() as injected:
        injected.cut_short("GetObject", READS)
        with pytest.raises(CloudUnavailable, match="read artifact"):
            store.get(KEY)


@pytest.mark.parametrize("operation", ["PutObject", "GetObject", "HeadObject", "ListObjectsV2"])
def test_a_refusal_says_what_it_was_for(store: S3ArtifactStore, operation: str) -> None:
    actions = {
        "PutObject": lambda: store.put(KEY, b""),
        "GetObject": lambda: store.get(KEY),
        "HeadObject": lambda: store.exists(KEY),
        "ListObjectsV2": lambda: store.list(""),
    }
    store.put(KEY, b"plan")
    with faults() as injected:
        injected.refuse(operation, "AccessDenied", 1, status=403)
        if operation == "HeadObject":
            injected.refuse("ListObjectsV2", "AccessDenied", 1, status=403)
        with pytest.raises(CloudError, match=r"^cannot [a-z ]+ '?[^\n]*$") as refused:
            actions[operation]()
    assert not isinstance(refused.value, CloudUnavailable)


def test_an_outage_is_told_from_a_refusal(store: S3ArtifactStore) -> None:
    with faults() as injected:
        injected.refuse("PutObject", "SlowDown", ATTEMPTS, status=503)
        with pytest.raises(CloudUnavailable, match="SlowDown"):
            store.put(KEY, b"plan")
        injected.lose_request("HeadObject", ATTEMPTS)
        with pytest.raises(CloudUnavailable):
            store.exists(KEY)
    assert not store.exists(KEY)


def test_a_missing_bucket_says_where_to_look(clients: Clients) -> None:
    store = S3ArtifactStore(clients.s3, "elsewhere")
    for action in (lambda: store.put(KEY, b""), lambda: store.get(KEY)):
        with pytest.raises(FanfoldError, match="is fanfold deployed in this account and region"):
            action()


def test_an_object_that_s3_will_not_delete_is_an_error(
    store: S3ArtifactStore, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(KEY, b"plan")

    def refuse(**_: object) -> object:
        return {"Errors": [{"Key": KEY, "Code": "AccessDenied", "Message": "no"}]}

    monkeypatch.setattr(clients.s3, "delete_objects", refuse)
    with pytest.raises(CloudError, match=r"plan\.md'.*no"):
        store.delete("runs")


def test_what_is_denied_is_missing_if_it_is_not_listed(clients: Clients) -> None:
    store = S3ArtifactStore(clients.s3, BUCKET)
    store.put("runs/r1/report.json", b"{}")
    with faults() as injected:
        for operation in ("GetObject", "HeadObject"):
            injected.refuse(operation, "AccessDenied", times=2, status=403)
        with pytest.raises(ArtifactMissing):
            store.get("runs/r1/report")
        assert not store.exists("runs/r1/report")
        assert store.exists("runs/r1/report.json")
        with pytest.raises(CloudError, match="AccessDenied"):
            store.get("runs/r1/report.json")


def test_what_may_not_even_be_listed_is_an_error(clients: Clients) -> None:
    store = S3ArtifactStore(clients.s3, BUCKET)
    with faults() as injected:
        injected.refuse("HeadObject", "AccessDenied", status=403)
        injected.refuse("ListObjectsV2", "AccessDenied", status=403)
        with pytest.raises(CloudError, match="look for artifact"):
            store.exists("runs/r2/report.json")
