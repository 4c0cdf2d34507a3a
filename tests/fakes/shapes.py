"""Checks of JSON values against a shape: types, exact keys and vocabularies."""

from __future__ import annotations

import re
from typing import Any, cast

MONEY = re.compile(r"\d+\.\d{2,6}")
OBJECT_ID = re.compile(r"[0-9a-f]{40}")
Shape = Any


class OneOf(tuple[Any, ...]):
    """One of some values or shapes."""

    __slots__ = ()


def one_of(*shapes: Shape) -> OneOf:
    return OneOf(shapes)


def assert_shape(value: Any, shape: Shape, place: str = "$") -> None:
    """`shape` is a type, a pattern, a value, a list of one shape, a dict of shapes or `one_of`."""
    if isinstance(shape, OneOf):
        assert any(_fits(value, s, place) for s in shape), f"{place}: {value!r} is none of {shape}"
    elif isinstance(shape, type):
        assert type(value) is shape, f"{place}: {value!r} is no {shape.__name__}"
    elif isinstance(shape, re.Pattern):
        pattern = cast("re.Pattern[str]", shape)
        assert isinstance(value, str), f"{place}: {value!r}"
        assert pattern.fullmatch(value), f"{place}: {value!r} is not {pattern.pattern}"
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{place}: {value!r}"
        for index, item in enumerate(cast("list[Any]", value)):
            assert_shape(item, shape[0], f"{place}[{index}]")
    elif isinstance(shape, dict):
        assert isinstance(value, dict), f"{place}: {value!r}"
        found = cast("dict[str, Any]", value)
        assert found.keys() == shape.keys(), f"{place}: {found.keys() ^ shape.keys()}"
        for key, item in found.items():
            assert_shape(item, shape[key], f"{place}.{key}")
    else:
        assert value == shape, f"{place}: {value!r} is not {shape!r}"


def _fits(value: Any, shape: Shape, place: str) -> bool:
    try:
        assert_shape(value, shape, place)
    except AssertionError:
        return False
    return True
