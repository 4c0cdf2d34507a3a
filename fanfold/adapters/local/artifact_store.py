"""Artifacts as files below `.ai-workspace/`."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.adapters.envelopes import belongs_to_log
from fanfold.adapters.keys import LOG_NAMES, TEMPORARY, check_key
from fanfold.adapters.local.disk import translated, write_atomic
from fanfold.errors import ArtifactCorrupt, ArtifactMissing, FanfoldError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def _is_leftover(path: Path) -> bool:
    return path.name.startswith(TEMPORARY)


class FileArtifactStore:
    """ports.ArtifactStore with the key as the path below `root`.

    Everything but an attempt's own files is synced to the disk before its name appears, for the
    reason that `JsonlEventStore` gives. Logs in the same folders are no artifacts: they are neither
    listed nor deleted.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> str:
        """Raises `FanfoldError` when the disk refuses; then the former content is still there."""
        write_atomic(self._path(key), data, durable="/attempts/" not in key)
        return hashlib.sha256(data).hexdigest()

    def get(self, key: str, sha256: str | None = None) -> bytes:
        path = self._path(key)
        with translated("read", path):
            try:
                data = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise ArtifactMissing(f"no artifact {key!r} in {str(self._root)!r}") from None
        if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise ArtifactCorrupt(f"artifact {key!r} has SHA-256 {found}, not {sha256}")
        return data

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def list(self, prefix: str) -> list[str]:
        """The keys in the folder `prefix` (or of that name), sorted."""
        return sorted(self._key(path) for path in self._files(prefix) if not _is_leftover(path))

    def delete(self, prefix: str) -> int:
        """Spares the payloads of logs. Raises `FanfoldError` for an empty prefix."""
        if not prefix:
            raise FanfoldError("refusing to delete every artifact")
        gone = [path for path in self._files(prefix) if not belongs_to_log(self._key(path))]
        for path in gone:
            with translated("delete", path):
                path.unlink(missing_ok=True)
        self._prune(gone)
        return sum(not _is_leftover(path) for path in gone)

    def _prune(self, gone: Iterable[Path]) -> None:
        folders = {p for path in gone for p in path.parents if self._root in p.parents}
        for folder in sorted(folders, key=lambda p: len(p.parts), reverse=True):
            with suppress(OSError):
                folder.rmdir()

    def _files(self, prefix: str) -> Iterator[Path]:
        start = self._path(prefix.removesuffix("/")) if prefix else self._root
        if start.is_file():
            yield start
        for folder, _, names in os.walk(start):
            yield from (Path(folder, name) for name in names if name not in LOG_NAMES)

    def _key(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _path(self, key: str) -> Path:
        check_key(key)
        path = self._root / key
        with translated("reach", path):
            inside = path.parent.resolve().is_relative_to(self._root.resolve())
        if not inside or path.is_symlink():
            raise FanfoldError(
                f"artifact {key!r} leaves {str(self._root)!r} by a symbolic link; remove the link"
            )
        return path
