"""Reads a track's `metadata.json`, also where it is no valid JSON."""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec

_STATUS = re.compile(rb'(\\?"status\\?"\s*:\s*\\?")([^"\\\r\n]{0,60})')


class Metadata(msgspec.Struct, frozen=True):
    """What a track says of itself; empty where it says nothing."""

    title: str = ""
    status: str = ""
    depends_on: tuple[str, ...] = ()
    valid: bool = True


def read(data: bytes) -> Metadata:
    """Read `metadata.json`; of an invalid one at least the status."""
    for text in (data, data.replace(rb"\"", b'"')):
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if isinstance(found, dict):
            fields = cast("dict[str, Any]", found)
            return _metadata(fields, valid=text is data)
    match = _STATUS.search(data)
    status = match[2].decode("utf-8", "replace") if match else ""
    return Metadata(status=_normal(status), valid=False)


def _metadata(fields: dict[str, Any], *, valid: bool) -> Metadata:
    title = fields.get("title") or fields.get("name") or fields.get("description") or ""
    depends: object = fields.get("depends_on")
    names: list[object] = []
    if isinstance(depends, list):
        names = cast("list[object]", depends)
    elif isinstance(depends, str):
        names = [depends]
    return Metadata(
        title=str(title),
        status=_normal(str(fields.get("status") or "")),
        depends_on=tuple(map(str, names)),
        valid=valid,
    )


def _normal(status: str) -> str:
    return status.strip().casefold().replace(" ", "_").replace("-", "_")


def with_status(data: bytes, status: str) -> bytes | None:
    """`data` with another status and no other byte changed; None where it is no JSON object."""
    if match := _STATUS.search(data):
        return data[: match.start(2)] + status.encode() + data[match.end(2) :]
    opening = data.find(b"{")
    if opening < 0:
        return None
    rest = data[opening + 1 :]
    space = rest[: len(rest) - len(rest.lstrip())]
    comma = b"" if rest.lstrip().startswith(b"}") else b","
    member = b'"status": "' + status.encode() + b'"' + comma
    return data[: opening + 1] + (space if comma else b"") + member + rest
