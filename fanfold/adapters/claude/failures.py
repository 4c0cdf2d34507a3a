"""Says what a failed call means: try again, or give up on the key, the model or the request."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from fanfold.errors import ModelDenied, ModelError, ModelRejected, ModelUnavailable, StreamDropped

if TYPE_CHECKING:
    from anthropic import APIStatusError

LONGEST_TEXT = 300

Mends = Mapping[int, str]

ANTHROPIC: Mends = {
    300: "check ANTHROPIC_BASE_URL",
    401: "check ANTHROPIC_API_KEY",
    402: "check the account's billing",
    403: "this key may not use this model",
    404: "check the model's name and ANTHROPIC_BASE_URL",
}
BEDROCK: Mends = {
    300: "check ANTHROPIC_BEDROCK_BASE_URL",
    401: "check the AWS credentials",
    402: "check the account's billing",
    403: "check the AWS credentials, and that they may call this model in this region",
    404: "check the model's name, model.region and model.routing",
}
_DENIED = frozenset({401, 402, 403, 404})
_AGAIN = frozenset({408, 409, 425, 429, 499})
_MAY_BE_BILLED = frozenset({408, 499, 504})
_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_NO_PROFILE = "on-demand throughput isn"
_OUT_OF_MONEY = ("spend_limit_reached", "organization_on_hold", "credit balance")


def refusal(error: APIStatusError, mends: Mends = ANTHROPIC) -> ModelError:
    """The error for an answer that is no reply."""
    headers = error.response.headers
    return failure(error.status_code, explanation(error.body), retry_after(headers), mends)


def failure(
    status: int, text: str, wait_s: float | None = None, mends: Mends = ANTHROPIC
) -> ModelError:
    """The error for an answer with this status; `text` is the API's own explanation in one line."""
    said = f"the model API answered {status}" + (f" ({text})" if text else "")
    if any(sign in text for sign in _OUT_OF_MONEY):
        return ModelDenied(f"{said}: {mends[402]}")
    if status in _DENIED or _NO_PROFILE in text:
        return ModelDenied(f"{said}: {mends[status if status in _DENIED else 404]}")
    if 300 <= status < 400:
        return ModelDenied(f"{said}, a redirect, which is not followed: {mends[300]}")
    if status in _AGAIN or status >= 500:
        return ModelUnavailable(said, retry_after=wait_s, billed=status in _MAY_BE_BILLED)
    return ModelRejected(said)


def error_event(data: str, mends: Mends = ANTHROPIC, *, started: bool) -> ModelError:
    """The error for an `error` event: once the reply has begun, a drop in its middle."""
    try:
        body: Any = json.loads(data)
    except ValueError:
        body = None
    text = explanation(body)
    if started:
        return StreamDropped(f"the reply broke off ({text or 'no reason given'})")
    return failure(_STATUS_OF.get(text.partition(":")[0], 500), text, mends=mends)


def break_off(error: Exception, timeout_s: float) -> ModelError:
    """The error for a failed connection: unbilled only where the request cannot have arrived."""
    import httpx2

    if isinstance(error.__cause__, ModelError):
        return error.__cause__
    cause = error if isinstance(error, httpx2.HTTPError) else error.__cause__
    unsent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
    if isinstance(cause, unsent):
        return ModelUnavailable(
            f"no connection to the model API ({one_line(str(cause)) or 'timed out'})"
        )
    if isinstance(cause, httpx2.TimeoutException):
        return StreamDropped(f"the model API sent nothing for {timeout_s:g} s")
    return StreamDropped(f"the connection to the model API broke ({one_line(str(cause or error))})")


def explanation(body: object) -> str:
    """`type: message [code]` of the API's error body; the text itself of any other body."""
    match body:
        case {
            "error": {
                "type": str(kind),
                "message": str(message),
                "details": {"error_code": str(code)},
            }
        }:
            return one_line(f"{kind}: {message} [{code}]")
        case {"error": {"type": str(kind), "message": str(message)}}:
            return one_line(f"{kind}: {message}")
        case {"message": str(message)} | {"Message": str(message)}:
            return one_line(message)
        case str(text):
            return one_line(text)
        case _:
            return ""


def one_line(text: str) -> str:
    """`text` without line breaks or other control characters, cut to a bearable length."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= LONGEST_TEXT else plain[: LONGEST_TEXT - 1] + "…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds or a date)."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return seconds if seconds is not None or value is None else _until(value)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return max(value, 0.0) if math.isfinite(value) else None


def _until(date: str) -> float | None:
    try:
        return max(parsedate_to_datetime(date).timestamp() - time.time(), 0.0)
    except ValueError:
        return None
