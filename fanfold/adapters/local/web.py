"""Objects that are had and put by signed URLs, over HTTP."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fanfold.errors import CloudError, CloudUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SILENCE_S = 60.0
TRIES = 3


class SignedWeb:
    """`steps.check.Web`; no error names a URL's query, which is as good as a key."""

    def fetch(self, url: str, place: Path) -> None:
        for tries_left in reversed(range(TRIES)):
            try:
                with _opened(url) as answer, place.open("wb") as file:
                    shutil.copyfileobj(answer, file)
            except CloudUnavailable:
                if not tries_left:
                    raise
            else:
                return

    def put(self, url: str, data: bytes) -> None:
        for tries_left in reversed(range(TRIES)):
            try:
                with _opened(url, data):
                    return
            except CloudUnavailable:
                if not tries_left:
                    raise


@contextmanager
def _opened(url: str, data: bytes | None = None) -> Generator[Any]:
    place = urlsplit(url)
    if place.scheme not in {"http", "https"}:
        raise CloudError(f"{place.scheme!r} is no address of an object")
    what = f"{'write' if data is not None else 'read'} {place.hostname}{place.path}"
    request = urllib.request.Request(  # noqa: S310
        url,
        data=data,
        method="GET" if data is None else "PUT",
        headers={} if data is None else {"content-type": "application/octet-stream"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SILENCE_S) as answer:  # noqa: S310
            yield answer
    except urllib.error.HTTPError as error:
        kind = CloudUnavailable if error.code >= 500 else CloudError
        raise kind(f"cannot {what}: HTTP {error.code}", str(error.code)) from None
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise CloudUnavailable(f"cannot {what}: {reason}") from None
