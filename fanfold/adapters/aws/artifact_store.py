"""Artifacts as objects in an S3 bucket."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from fanfold.adapters.aws.failures import (
    BROKEN_OFF,
    FAILURES,
    code_of,
    explained,
    translated,
)
from fanfold.adapters.envelopes import belongs_to_log
from fanfold.adapters.keys import check_key
from fanfold.errors import ArtifactCorrupt, ArtifactMissing, CloudError, FanfoldError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_s3 import S3Client

READS = 3
_BATCH = 1000
_DENIED = frozenset({"403", "AccessDenied"})


class S3ArtifactStore:
    """ports.ArtifactStore with the artifact's key as the object's.

    S3 replaces objects whole and checks what arrives against the SHA-256 that is sent with it.
    Who may list a part of the bucket alone is denied what is not there, and told so by listing it.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def put(self, key: str, data: bytes) -> str:
        """Raises `CloudError`; the former content, or this one, is there then."""
        check_key(key)
        digest = hashlib.sha256(data)
        with translated(f"write artifact {key!r}"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=data,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            )
        return digest.hexdigest()

    def get(self, key: str, sha256: str | None = None) -> bytes:
        """Raises `ArtifactMissing`, `ArtifactCorrupt` or `CloudError`."""
        check_key(key)
        data = self._read(key)
        if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise ArtifactCorrupt(f"artifact {key!r} has SHA-256 {found}, not {sha256}")
        return data

    def exists(self, key: str) -> bool:
        check_key(key)
        try:
            self._client.head_object(Bucket=self._bucket, Key=key)
        except FAILURES as error:
            if code_of(error) == "404":
                return False
            if code_of(error) in _DENIED:
                return self._is_listed(key)
            raise explained(f"look for artifact {key!r}", error) from error
        return True

    def list(self, prefix: str) -> list[str]:
        """The keys in the folder `prefix` (or of that name), sorted."""
        folder = prefix.removesuffix("/")
        if not prefix:
            return sorted(self._keys(""))
        check_key(folder)
        own = [folder] if self._is_listed(folder) else []
        return own + sorted(self._keys(f"{folder}/"))

    def delete(self, prefix: str) -> int:
        """Spares the payloads of logs. Raises `FanfoldError` for an empty prefix."""
        if not prefix:
            raise FanfoldError("refusing to delete every artifact")
        gone = [key for key in self.list(prefix) if not belongs_to_log(key)]
        for at in range(0, len(gone), _BATCH):
            self._delete(gone[at : at + _BATCH])
        return len(gone)

    def _read(self, key: str) -> bytes:
        """boto3 tries a request again, but not the reading of an answer that breaks off."""
        for reads_left in reversed(range(READS)):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except FAILURES as error:
                denied = code_of(error) in _DENIED
                if code_of(error) == "NoSuchKey" or (denied and not self._is_listed(key)):
                    raise ArtifactMissing(f"no artifact {key!r} in {self._bucket!r}") from None
                if not (isinstance(error, BROKEN_OFF) and reads_left):
                    raise explained(f"read artifact {key!r}", error) from error
        raise AssertionError

    def _is_listed(self, key: str) -> bool:
        with translated(f"look for artifact {key!r}"):
            found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return [each.get("Key") for each in found.get("Contents", ())] == [key]

    def _keys(self, prefix: str) -> Iterator[str]:
        with translated(f"list artifacts below {prefix!r}"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                yield from (found.get("Key", "") for found in page.get("Contents", ()))

    def _delete(self, keys: Sequence[str]) -> None:
        with translated("delete artifacts"):
            answer = self._client.delete_objects(
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
            )
        for refused in answer.get("Errors", ()):
            code, said = refused.get("Code", ""), refused.get("Message", "")
            raise CloudError(f"cannot delete artifact {refused.get('Key')!r}: {said}", code)
