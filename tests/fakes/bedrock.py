"""Bedrock's side of a signed call: credentials, and the check of a signature made with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fanfold.adapters.claude.bedrock import ROUTE

if TYPE_CHECKING:
    import pytest

    from tests.fakes.messages_api import Seen

REGION = "eu-central-1"
ACCESS = "AKIA" + "FAKE" * 4
SECRET = "-".join(("fake", "secret", "of", "the", "tests"))
TOKEN = "-".join(("fake", "key", "of", "the", "tests"))
_CHAIN = {
    "AWS_ACCESS_KEY_ID": ACCESS,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": TOKEN,
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


def sign_in(monkeypatch: pytest.MonkeyPatch, *without: str) -> None:
    """Sets what the ordinary credential chain finds, less the variables named."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in _CHAIN.items():
        if name in without:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def well_signed(seen: Seen) -> bool:
    """Whether the request came by Bedrock's route, signed as the account wants it."""
    if not seen.path.startswith(ROUTE):
        return False
    scheme, _, fields = seen.headers.get("authorization", "").partition(" ")
    given = dict(field.strip().split("=", 1) for field in fields.split(",") if "=" in field)
    return scheme == "AWS4-HMAC-SHA256" and given.get("Signature") == _signature(seen, given)


def _signature(seen: Seen, given: dict[str, str]) -> str:
    """Made anew over what arrived; a header that was changed on its way does not fit any more."""
    names = given["SignedHeaders"].split(";")
    headers = {name: seen.headers.get(name, "") for name in names}
    url = f"http://{seen.headers['host']}{seen.path}"
    request = AWSRequest("POST", url, headers, seen.raw)
    request.context["timestamp"] = seen.headers["x-amz-date"]
    signer = SigV4Auth(Credentials(ACCESS, SECRET, TOKEN), "bedrock", REGION)
    return signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )
