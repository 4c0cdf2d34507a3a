"""Layers in a bucket: there once they are whole, and as they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.aws.layers import S3Layers
from fanfold.errors import CloudError
from fanfold.run.environment import Failure, Layer
from tests.kit.account import BUCKET

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.adapters.aws.clients import Clients

LAYER = Layer("d1", "0" * 64, 12_000_000)


@pytest.fixture
def layers(clients: Clients) -> S3Layers:
    return S3Layers(clients.s3, BUCKET, S3ArtifactStore(clients.s3, BUCKET))


def test_a_layer_is_read_as_it_was_put(layers: S3Layers, tmp_path: Path) -> None:
    assert layers.find("d1") is None
    (tmp_path / "made").write_bytes(b"\1\2\3\4" * 3_000_000)
    layers.put(LAYER, tmp_path / "made")
    assert layers.find("d1") == LAYER
    layers.fetch(LAYER, tmp_path / "read")
    assert (tmp_path / "read").read_bytes() == (tmp_path / "made").read_bytes()


def test_half_a_layer_is_none(layers: S3Layers, clients: Clients, tmp_path: Path) -> None:
    clients.s3.put_object(Bucket=BUCKET, Key="deps/d1.tar.gz", Body=b"half")
    assert layers.find("d1") is None
    with pytest.raises(CloudError):
        layers.fetch(Layer("d2", "0" * 64, 1), tmp_path / "read")


def test_the_latest_failure_is_kept(layers: S3Layers) -> None:
    assert layers.failure("d1") is None
    for generation in (1, 2):
        layers.fail("d1", Failure("r1", generation, "uv sync", 2, "no route", ("pypi.org:443",)))
    found = layers.failure("d1")
    assert found
    assert found.generation == 2
    assert found.error().denied == ("pypi.org:443",)
