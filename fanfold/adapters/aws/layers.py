"""Prepared layers as objects: an archive by the digest of what it was made from, and a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from fanfold.adapters.aws.failures import translated
from fanfold.errors import ArtifactMissing
from fanfold.run.artifacts import layer_file
from fanfold.run.environment import Failure, Layer

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from fanfold.ports import ArtifactStore

_R = TypeVar("_R", Layer, Failure)


class S3Layers:
    """`ports.LayerStore`: the record is written last, so that a layer with one is whole."""

    def __init__(self, s3: S3Client, bucket: str, artifacts: ArtifactStore) -> None:
        self._s3, self._bucket, self._artifacts = s3, bucket, artifacts

    def find(self, digest: str) -> Layer | None:
        return self._record(layer_file(digest, "json"), Layer)

    def put(self, layer: Layer, archive: Path) -> None:
        """Raises `CloudError`."""
        with translated(f"write layer {layer.digest!r}"):
            self._s3.upload_file(str(archive), self._bucket, layer_file(layer.digest, "tar.gz"))
        self._artifacts.put(layer_file(layer.digest, "json"), msgspec.json.encode(layer))

    def fetch(self, layer: Layer, place: Path) -> None:
        """Raises `CloudError`."""
        with translated(f"read layer {layer.digest!r}"):
            self._s3.download_file(self._bucket, layer_file(layer.digest, "tar.gz"), str(place))

    def failure(self, digest: str) -> Failure | None:
        return self._record(layer_file(digest, "failed.json"), Failure)

    def fail(self, digest: str, failure: Failure) -> None:
        key = layer_file(digest, "failed.json")
        self._artifacts.put(key, msgspec.json.encode(failure))

    def _record(self, key: str, kind: type[_R]) -> _R | None:
        try:
            return msgspec.json.decode(self._artifacts.get(key), type=kind)
        except ArtifactMissing:
            return None
