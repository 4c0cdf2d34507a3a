"""Whether the Anthropic API accepts a key; without its client, which functions do not load."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from fanfold.errors import ModelUnavailable

PATH = "/v1/models?limit=1"
TIMEOUT_S = 20.0
_REFUSED = frozenset({401, 403})


def is_accepted(base_url: str, key: str) -> bool:
    """Asks for the list of models, which costs nothing.

    Raises `ModelUnavailable` where the API says neither yes nor no.
    """
    url = urlsplit(base_url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=TIMEOUT_S)
    try:
        connection.request(
            "GET", PATH, headers={"x-api-key": key, "anthropic-version": "2023-06-01"}
        )
        status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ModelUnavailable(f"the model API was not reached ({type(error).__name__})") from None
    finally:
        connection.close()
    if status == 200 or status in _REFUSED:
        return status == 200
    raise ModelUnavailable(f"the model API answered {status} when asked about a key")
