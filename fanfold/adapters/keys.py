"""What an artifact key may be, on disk and in a bucket alike."""

from __future__ import annotations

from fanfold.errors import FanfoldError

LOG_NAMES = ("events.jsonl", "events.lock")
TEMPORARY = ".tmp-"


def check_key(key: str) -> None:
    """Raises `FanfoldError` unless `key` is a plain relative path that stays below its root."""
    parts = key.split("/")
    if any(p in {"", ".", ".."} or p.startswith(TEMPORARY) for p in parts) or not key.isprintable():
        raise FanfoldError(f"{key!r} is no artifact key: it must be a plain relative path")
    if parts[-1] in LOG_NAMES:
        raise FanfoldError(f"{key!r} is no artifact key: that name is a log's")


def is_below(key: str, prefix: str) -> bool:
    """Whether the key is `prefix` or lies in that folder: "runs/r1" does not reach "runs/r10/x"."""
    return not prefix or key == prefix or key.startswith(prefix.removesuffix("/") + "/")
