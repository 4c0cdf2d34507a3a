"""What goes wrong with a request to AWS, as one clear line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)

from fanfold.errors import CloudError, CloudUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator

CONDITION_FAILED = "ConditionalCheckFailedException"
FAILURES = (BotoCoreError, ClientError)
BROKEN_OFF = (ConnectionError, FlexibleChecksumError, HTTPClientError, IncompleteReadError)

_SIGN_IN = "sign in again, for example with `aws sso login`"
_ALLOW = "the policy `<stack>-user` allows all that fanfold's commands ask for"
_MENDS = {
    "AccessDenied": _ALLOW,
    "AccessDeniedException": _ALLOW,
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "UnrecognizedClientException": "look at the credentials that are set",
    "InvalidClientTokenId": "look at the credentials that are set",
    "SSOTokenLoadError": _SIGN_IN,
    "UnauthorizedSSOTokenError": _SIGN_IN,
    "TokenRetrievalError": _SIGN_IN,
    "NoCredentialsError": "sign in with the AWS command line, or set AWS_PROFILE",
    "NoRegionError": "set `region` in [cloud] of fanfold.toml, or AWS_REGION",
    "ProfileNotFound": "set `profile` in [cloud] of fanfold.toml to one that is configured",
    "ResourceNotFoundException": "is fanfold deployed in this account and region?",
    "NoSuchBucket": "is fanfold deployed in this account and region?",
}
_TRY_AGAIN = {
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingError",
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestTimeout",
    "SlowDown",
    "TransactionInProgressException",
    "LimitExceededException",
}


def code_of(error: BotoCoreError | ClientError) -> str:
    """The service's error code; the class name where no service answered."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code", "")
    return type(error).__name__


def reasons_of(error: BotoCoreError | ClientError) -> set[str]:
    """The codes why a transaction was cancelled; empty for every other error."""
    if code_of(error) != "TransactionCanceledException" or not isinstance(error, ClientError):
        return set()
    response: Any = error.response
    return {reason.get("Code", "") for reason in response.get("CancellationReasons", ())} - {"None"}


def status_of(error: ClientError) -> int:
    """The HTTP status of the answer."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def explained(action: str, error: BotoCoreError | ClientError) -> CloudError:
    """The error to raise when `error` stopped what we were about to do."""
    code = code_of(error)
    said = str(error)
    if isinstance(error, ClientError):
        said = f"{error.response.get('Error', {}).get('Message', '')} ({code})".strip()
        codes = {code} | reasons_of(error)
        unavailable = bool(codes & _TRY_AGAIN) or status_of(error) >= 500
    else:
        unavailable = isinstance(error, BROKEN_OFF)
    mend = _MENDS.get(code)
    line = " ".join(f"cannot {action}: {said}".split()) + (f"; {mend}" if mend else "")
    return (CloudUnavailable if unavailable else CloudError)(line, code)


@contextmanager
def translated(action: str) -> Generator[None]:
    """Turns a failed request of the block into a `CloudError` that says what it was for."""
    try:
        yield
    except FAILURES as error:
        raise explained(action, error) from error
