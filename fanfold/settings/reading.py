"""Reading the environment: the only place that does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from fanfold.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "FANFOLD_"

_S = TypeVar("_S", bound=msgspec.Struct)


def environment() -> Mapping[str, str]:
    """The process's environment."""
    return os.environ  # noqa: TID251


def aws_region() -> str:
    """The region as AWS's own tools find it in the environment; boto3 reads the second alone."""
    found = environment()
    return found.get("AWS_REGION") or found.get("AWS_DEFAULT_REGION") or ""


def value_of(text: str, kind: Any) -> Any:
    if kind is str:
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def converted(value: Any, kind: type[_S] | Any, source: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"{source}: {error}") from None
