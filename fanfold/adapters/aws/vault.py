"""The versions of a secret in Secrets Manager, by their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.adapters.aws.failures import FAILURES, code_of, explained, translated

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SecretVault:
    """`ports.Vault`; a request that fails after all retries raises `CloudError`."""

    def __init__(self, client: SecretsManagerClient) -> None:
        self._client = client

    def version(self, secret: str, label: str) -> str | None:
        with translated(f"look at secret {secret!r}"):
            stages = self._client.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
        return next((version for version, labels in stages.items() if label in labels), None)

    def value(self, secret: str, label: str) -> str | None:
        """None for a version that has no value yet, too."""
        try:
            found = self._client.get_secret_value(SecretId=secret, VersionStage=label)
        except FAILURES as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise explained(f"read secret {secret!r}", error) from error
        return found.get("SecretString", "").strip()

    def put(self, secret: str, version: str, value: str, label: str) -> None:
        with translated(f"write secret {secret!r}"):
            self._client.put_secret_value(
                SecretId=secret,
                ClientRequestToken=version,
                SecretString=value,
                VersionStages=[label],
            )

    def move(self, secret: str, label: str, version: str | None) -> None:
        before = self.version(secret, label)
        if before == version:
            return
        change: dict[str, Any] = {"RemoveFromVersionId": before} if before else {}
        change |= {"MoveToVersionId": version} if version else {}
        with translated(f"move label {label!r} of secret {secret!r}"):
            self._client.update_secret_version_stage(SecretId=secret, VersionStage=label, **change)
