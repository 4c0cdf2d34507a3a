"""How much new content one patch may bring."""

from __future__ import annotations

from fanfold.errors import InvalidPatch

FILE_BYTES = 5_000_000
TOTAL_BYTES = 100_000_000
UNLIMITED = 1 << 62


class Limits:
    """How many bytes a new file may have, and how many are left for all of a patch together."""

    def __init__(self, file_bytes: int = UNLIMITED, total_bytes: int = UNLIMITED) -> None:
        self._file_bytes, self._left = file_bytes, total_bytes

    def check(self, size: int, path: str) -> None:
        """May a file of `size` be made at all? Raises `file_too_large` or `patch_too_large`."""
        if size > self._file_bytes:
            raise InvalidPatch("file_too_large", f"{size} bytes, limit {self._file_bytes}", path)
        if size > self._left:
            raise InvalidPatch("patch_too_large", "its new files together are over the limit", path)

    def take(self, size: int, path: str) -> None:
        """Count a file that was made. Raises as `check`."""
        self.check(size, path)
        self._left -= size
