"""Repairs of moto 5.2.5's S3: it closes an object that is replaced while others still read it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moto.s3.models import FakeKey

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def whole_objects() -> Generator[None]:
    """Who began to read an object reads all of it, whatever is put in its place meanwhile."""
    patched: Any = FakeKey
    dispose, etag = patched.dispose, patched.etag

    def keep_open(key: Any, garbage: bool = False) -> None:
        vars(key)["disposed"] = True

    def locked_etag(key: Any) -> str:
        with key.lock:
            return etag.fget(key)

    patched.dispose, patched.etag = keep_open, property(locked_etag)
    try:
        yield
    finally:
        patched.dispose, patched.etag = dispose, etag
