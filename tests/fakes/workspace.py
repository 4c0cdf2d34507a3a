"""A workspace in memory: the port's semantics, no git, no disk."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from fanfold.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fanfold.ports import CommandResult, StopSignal


class MemoryWorkspace:
    """Files by path; `shell` answers commands and may change the files it is given."""

    def __init__(
        self,
        files: Mapping[str, str | bytes] | None = None,
        shell: Callable[[str, dict[str, bytes]], CommandResult] | None = None,
    ) -> None:
        self.contents = {
            path: text.encode() if isinstance(text, str) else text
            for path, text in (files or {}).items()
        }
        self.commands: list[tuple[str, float]] = []
        self.closed = False
        self._shell = shell

    @property
    def has_shell(self) -> bool:
        return self._shell is not None

    def files(self) -> list[str]:
        return sorted(self.contents)

    def read(self, path: str) -> bytes:
        if path not in self.contents:
            raise WorkspaceError(f"{path!r} does not exist")
        return self.contents[path]

    def write(self, path: str, data: bytes) -> None:
        if any(known.startswith(f"{path}/") for known in self.contents):
            raise WorkspaceError(f"{path!r} is a folder")
        self.contents[path] = data

    def run(self, command: str, timeout_s: float, stop: StopSignal | None = None) -> CommandResult:
        if self._shell is None:
            raise WorkspaceError("this workspace has no shell")
        self.commands.append((command, timeout_s))
        return self._shell(command, self.contents)

    def left_out(self) -> list[str]:
        return []

    def tree(self) -> str:
        digest = hashlib.sha1(usedforsecurity=False)
        for path, data in sorted(self.contents.items()):
            digest.update(f"{path}\0{len(data)}\0".encode() + data)
        return digest.hexdigest()

    def close(self) -> None:
        self.closed = True

    def text(self, path: str) -> str:
        return self.contents[path].decode()
