"""One change to every string of a JSON value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """The same value with `change` applied to its strings, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {map_strings(k, change): map_strings(v, change) for k, v in items}
    if isinstance(value, list | tuple):
        return [map_strings(item, change) for item in cast("list[Any]", value)]
    return value


def encodable(text: str) -> str:
    """`text` with lone surrogates replaced, which no encoder would send."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
