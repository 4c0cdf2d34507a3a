"""Rights of this thread, so that modes of files bind it although tests run as root."""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

VERSION_3 = 0x20080522
DAC_OVERRIDE, DAC_READ_SEARCH = 1 << 1, 1 << 2


@contextmanager
def bound_by_modes() -> Generator[None]:
    """Take root's pass to all files from this thread; others have none to lose."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("=Ii", VERSION_3, 0)
    before = ctypes.create_string_buffer(24)
    _done(libc.capget(header, before))
    effective, *others = struct.unpack("=6I", before.raw)
    without = struct.pack("=6I", effective & ~(DAC_OVERRIDE | DAC_READ_SEARCH), *others)
    _done(libc.capset(header, without))
    try:
        yield
    finally:
        _done(libc.capset(header, before))


def _done(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), "capabilities cannot be changed")
