"""A workspace without a shell: writes in memory over a base tree; nothing on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from fanfold.adapters.git import trees
from fanfold.adapters.git.base import (
    MAX_FILE_BYTES,
    Base,
    check_path,
    check_size,
    folders_above,
)
from fanfold.adapters.git.ignore import Ignores
from fanfold.errors import WorkspaceError

if TYPE_CHECKING:
    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import CommandResult, StopSignal


class Overlay:
    """`ports.Workspace` over objects alone, as a worker without a disk or a shell needs it."""

    has_shell = False

    def __init__(
        self, repository: GitRepository, base: Base, max_file_bytes: int = MAX_FILE_BYTES
    ) -> None:
        self._repository, self._base, self._limit = repository, base, max_file_bytes
        self._written: dict[str, bytes] = {}

    def files(self) -> list[str]:
        kept = self._base.entries.keys() - self._base.submodules
        return sorted(kept | (self._written.keys() - set(self.left_out())))

    def read(self, path: str) -> bytes:
        check_path(path)
        if path in self._written:
            return self._written[path]
        entry = self._base.entries.get(path)
        if entry is None or entry.mode == trees.SUBMODULE:
            self._refuse_absent(path)
        if entry.mode == trees.LINK:
            self._refuse_link(path)
        data = self._repository.objects.read(entry.oid)[1]
        check_size(path, len(data), self._limit)
        return data

    def write(self, path: str, data: bytes) -> None:
        check_path(path)
        check_size(path, len(data), self._limit)
        entry = self._base.entries.get(path)
        if entry is not None and entry.mode == trees.LINK:
            self._refuse_link(path)
        if self._is_folder(path):
            raise WorkspaceError(f"{path!r} is a folder")
        for folder in folders_above(path):
            if folder in self._written or folder in self._base.entries:
                raise WorkspaceError(f"{path!r} would lie below {folder!r}, which is no folder")
        self._written[path] = data

    def run(
        self,
        command: str,  # noqa: ARG002
        timeout_s: float,  # noqa: ARG002
        stop: StopSignal | None = None,  # noqa: ARG002
    ) -> CommandResult:
        raise WorkspaceError("this workspace has no shell")

    def left_out(self) -> list[str]:
        """Paths that `write` wrote and `tree` leaves out, as `.gitignore` ignores them."""
        fresh = self._written.keys() - self._base.entries.keys()
        ignores = Ignores(self._content) if fresh else None
        return sorted(path for path in fresh if ignores and ignores.ignored(path))

    def tree(self) -> str:
        repo, left_out = self._repository.objects, set(self.left_out())
        changes: dict[str, trees.Entry | None] = {}
        for path, data in self._written.items():
            if path not in left_out:
                old = self._base.entries.get(path)
                mode = trees.EXECUTABLE if old and old.mode == trees.EXECUTABLE else trees.FILE
                changes[path] = trees.Entry(mode, str(repo.create_blob(data)))
        return trees.edit(repo, self._base.tree, changes)

    def close(self) -> None:
        self._written.clear()

    def _content(self, path: str) -> bytes | None:
        if path in self._written:
            return self._written[path]
        entry = self._base.entries.get(path)
        if entry is None or entry.mode not in (trees.FILE, trees.EXECUTABLE):
            return None
        return self._repository.objects.read(entry.oid)[1]

    def _is_folder(self, path: str) -> bool:
        inside = f"{path}/"
        return (
            path in self._base.folders
            or path in self._base.submodules
            or any(written.startswith(inside) for written in self._written)
        )

    def _refuse_absent(self, path: str) -> NoReturn:
        if self._is_folder(path):
            raise WorkspaceError(f"{path!r} is a folder")
        for folder in folders_above(path):
            entry = self._base.entries.get(folder)
            if entry is not None and entry.mode == trees.LINK:
                self._refuse_link(folder)
        raise WorkspaceError(f"{path!r} does not exist")

    def _refuse_link(self, path: str) -> NoReturn:
        target = trees.text(self._repository.objects.read(self._base.entries[path].oid)[1])
        raise WorkspaceError(f"{path!r} is a symbolic link to {target!r}, which is not followed")
