"""Writes git packs and their indexes, version 2, from objects in memory."""

from __future__ import annotations

import hashlib
import struct
import zlib
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
FAST = 1


class Pack(msgspec.Struct, frozen=True):
    """A pack and its index as bytes; `name` is what git calls the two files, without suffix."""

    name: str
    data: bytes
    index: bytes
    count: int


def write_pack(objects: Mapping[str, tuple[str, bytes]]) -> Pack:
    """Pack objects given as oid → (kind, content), whole; the same objects give the same bytes."""
    parts = [b"PACK" + struct.pack(">II", 2, len(objects))]
    at = len(parts[0])
    rows: list[tuple[bytes, int, int]] = []
    for oid in sorted(objects):
        kind, content = objects[oid]
        record = _header(KINDS[kind], len(content)) + zlib.compress(content, FAST)
        rows.append((bytes.fromhex(oid), zlib.crc32(record), at))
        parts.append(record)
        at += len(record)
    body = b"".join(parts)
    checksum = _sha1(body)
    return Pack(f"pack-{checksum.hex()}", body + checksum, _index(rows, checksum), len(rows))


def _header(kind: int, size: int) -> bytes:
    out = bytearray([kind << 4 | size & 0x0F])
    size >>= 4
    while size:
        out[-1] |= 0x80
        out.append(size & 0x7F)
        size >>= 7
    return bytes(out)


def _index(rows: list[tuple[bytes, int, int]], checksum: bytes) -> bytes:
    counts = [0] * 256
    for raw, _, _ in rows:
        counts[raw[0]] += 1
    large = [offset for _, _, offset in rows if offset >= 1 << 31]
    places = {offset: 1 << 31 | at for at, offset in enumerate(large)}
    body = b"".join(
        (
            b"\xfftOc" + struct.pack(">I", 2),
            struct.pack(">256I", *accumulate(counts)),
            b"".join(raw for raw, _, _ in rows),
            struct.pack(f">{len(rows)}I", *(crc for _, crc, _ in rows)),
            struct.pack(f">{len(rows)}I", *(places.get(offset, offset) for _, _, offset in rows)),
            struct.pack(f">{len(large)}Q", *large),
            checksum,
        )
    )
    return body + _sha1(body)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()
