"""Binary content in patches: git's base 85, deflate within declared bounds, and deltas."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING

from fanfold.errors import InvalidPatch

if TYPE_CHECKING:
    from fanfold.patch.limits import Limits
    from fanfold.patch.model import Binary

STEP = 65_536


def decode_line(line: bytes) -> bytes:
    """The bytes of one base-85 line, whose first letter says how many there are."""
    length = _length(line[:1])
    body = line[1:]
    if len(body) != (length + 3) // 4 * 5:
        raise InvalidPatch("bad_binary", "a base-85 line of the wrong length")
    try:
        return base64.b85decode(body)[:length]
    except ValueError:
        raise InvalidPatch("bad_binary", "a line that is not base 85") from None


def _length(letter: bytes) -> int:
    if b"A" <= letter <= b"Z":
        return letter[0] - 64
    if b"a" <= letter <= b"z":
        return letter[0] - 70
    raise InvalidPatch("bad_binary", "a base-85 line without its length")


def inflate(binary: Binary, path: str, limits: Limits) -> bytes:
    """What was deflated: exactly the declared size, once that is within the limits."""
    limits.check(binary.size, path)
    try:
        data, is_whole = _inflated(binary.deflated, binary.size + 1)
    except zlib.error as error:
        raise InvalidPatch("bad_binary", f"does not inflate: {error}", path) from None
    if len(data) != binary.size or not is_whole:
        raise InvalidPatch(
            "bad_binary", f"does not inflate to the {binary.size} bytes declared", path
        )
    return data


def _inflated(deflated: bytes, most: int) -> tuple[bytes, bool]:
    """At most `most` bytes, and whether the stream ended.

    Fed in small steps, so that no copy of the rest is held.
    """
    inflater = zlib.decompressobj()
    parts: list[bytes] = []
    for at in range(0, len(deflated), STEP):
        parts.append(inflater.decompress(deflated[at : at + STEP], most))
        most -= len(parts[-1])
        if most <= 0 or inflater.eof:
            break
    return b"".join(parts), inflater.eof


def content(binary: Binary, old: bytes, path: str, limits: Limits) -> bytes:
    """The new content, from `old` where it is a delta; its size must be within the limits."""
    data = inflate(binary, path, limits)
    return apply_delta(old, data, path, limits) if binary.is_delta else data


def apply_delta(old: bytes, delta: bytes, path: str, limits: Limits) -> bytes:
    """Follow git's delta instructions; both declared sizes must hold, the new one in the limits."""
    old_size, at = _varint(delta, 0, path)
    new_size, at = _varint(delta, at, path)
    if old_size != len(old):
        raise InvalidPatch(
            "bad_binary", f"a delta for {old_size} bytes, the file has {len(old)}", path
        )
    limits.check(new_size, path)
    parts: list[bytes] = []
    room = new_size
    while at < len(delta):
        part, at = _instruction(old, delta, at, path)
        room -= len(part)
        if room < 0:
            break
        parts.append(part)
    if room != 0:
        raise InvalidPatch(
            "bad_binary", f"a delta that does not give the {new_size} bytes declared", path
        )
    return b"".join(parts)


def _instruction(old: bytes, delta: bytes, at: int, path: str) -> tuple[bytes, int]:
    command, at = delta[at], at + 1
    if command < 0x80:
        part = delta[at : at + command]
        if command == 0 or len(part) != command:
            raise InvalidPatch("bad_binary", "a delta that is cut off or malformed", path)
        return part, at + command
    fields = [0] * 7
    for bit in range(7):
        if command & (1 << bit):
            if at >= len(delta):
                raise InvalidPatch("bad_binary", "a delta that is cut off", path)
            fields[bit], at = delta[at], at + 1
    offset = int.from_bytes(bytes(fields[:4]), "little")
    size = int.from_bytes(bytes(fields[4:]), "little") or 0x10000
    if offset + size > len(old):
        raise InvalidPatch("bad_binary", "a delta that copies from beyond the file", path)
    return old[offset : offset + size], at


def _varint(data: bytes, at: int, path: str) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 63:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
    raise InvalidPatch("bad_binary", "a delta without its sizes", path)
