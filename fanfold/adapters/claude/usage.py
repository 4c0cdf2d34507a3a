"""Reads the API's usage object into the five classes, on the safe side where it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from fanfold.run.attempt import Usage

if TYPE_CHECKING:
    from fanfold.ports import ModelRequest

CHARACTERS_A_TOKEN = 3


def read_usage(raw: dict[str, Any]) -> Usage:
    """Tokens by class, those of compaction included, which the top level leaves out.

    Cache writes beyond the breakdown by lifetime count as 5-minute ones, the API's default.
    """
    usage = _one(raw)
    for iteration in _dicts(raw.get("iterations")):
        if iteration.get("type") == "compaction":
            usage += _one(iteration)
    return usage


def floor_usage(usage: Usage, request: ModelRequest, content: list[dict[str, Any]]) -> Usage:
    """`usage`, or an upper estimate of the side that it calls free: a cap must not trust a zero."""
    read = (
        usage.input
        if usage.context
        else _estimate([request.system, request.tools, request.messages])
    )
    written = usage.output if usage.output or not content else _estimate(content)
    return msgspec.structs.replace(usage, input=read, output=written)


def _one(raw: dict[str, Any]) -> Usage:
    split = raw.get("cache_creation")
    lifetimes = cast("dict[str, Any]", split) if isinstance(split, dict) else {}
    hour = _count(lifetimes, "ephemeral_1h_input_tokens")
    total = _count(raw, "cache_creation_input_tokens")
    return Usage(
        input=_count(raw, "input_tokens"),
        output=_count(raw, "output_tokens"),
        cache_write_5m=max(total - hour, _count(lifetimes, "ephemeral_5m_input_tokens")),
        cache_write_1h=hour,
        cache_read=_count(raw, "cache_read_input_tokens"),
    )


def _count(raw: dict[str, Any], key: str) -> int:
    value = raw.get(key)
    return max(value, 0) if isinstance(value, int) and not isinstance(value, bool) else 0


def _dicts(value: Any) -> list[dict[str, Any]]:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _estimate(value: Any) -> int:
    return len(msgspec.json.encode(value)) // CHARACTERS_A_TOKEN + 1
