"""A workspace with a shell: a real checkout in a folder of its own, under the sandbox."""

from __future__ import annotations

import base64
import binascii
import os
import shlex
from typing import TYPE_CHECKING

from fanfold.adapters.git.base import MAX_FILE_BYTES, Base, check_path
from fanfold.adapters.git.confined import give_back, read_file, write_file
from fanfold.adapters.git.ignore import CACHES, Ignores
from fanfold.adapters.git.private_git import Packs, check_out
from fanfold.adapters.git.scan import Scanner
from fanfold.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import CommandResult, Sandbox, StopSignal

_LOOK_S, _LONGEST = 20.0, 90_000


class Checkout:
    """`ports.Workspace` on disk at `root`; what it holds besides the base is never trusted."""

    has_shell = True

    def __init__(
        self,
        repository: GitRepository,
        base: Base,
        root: Path,
        sandbox: Sandbox,
        packs: Packs,
        *,
        exclude: Sequence[str] = (),
        hosts: Sequence[str] | None = None,
        max_file_bytes: int = MAX_FILE_BYTES,
        discard: Callable[[], None],
    ) -> None:
        self.root = root
        self._base, self._sandbox, self._packs, self._hosts = base, sandbox, packs, hosts
        self._exclude, self._limit, self._discard = (*CACHES, *exclude), max_file_bytes, discard
        self._written: set[str] = set()
        self._equipped = False
        check_out(repository, base.tree, root, exclude)
        self._scanner = Scanner(repository, base, root)

    def files(self) -> list[str]:
        return self._scanner.files(self._ignores())

    def read(self, path: str) -> bytes:
        try:
            return read_file(self.root, path, self._limit)
        except WorkspaceError:
            found = self._read_inside(path) if self._is_ignored(path) else None
            if found is None:
                raise
            return found

    def write(self, path: str, data: bytes) -> None:
        if path in self._base.submodules:
            raise WorkspaceError(f"{path!r} is a folder")
        hidden = self._is_ignored(path) and not os.path.lexists(self.root / path)
        if not (hidden and self._write_inside(path, data)):
            write_file(self.root, path, data, self._limit)
        self._written.add(path)

    def run(self, command: str, timeout_s: float, stop: StopSignal | None = None) -> CommandResult:
        if not self._equipped:
            self._packs.equip(self._base.tree, self.root)
            self._equipped = True
        give_back(self.root, "")
        return self._sandbox.run(command, str(self.root), timeout_s, stop=stop, hosts=self._hosts)

    def left_out(self) -> list[str]:
        """Paths that `write` wrote and `tree` leaves out, as `.gitignore` ignores them."""
        ignores = self._ignores()
        fresh = self._written - self._base.entries.keys()
        return sorted(path for path in fresh if ignores.ignored(path))

    def tree(self) -> str:
        return self._scanner.tree(self._ignores())

    def close(self) -> None:
        self._discard()

    def _is_ignored(self, path: str) -> bool:
        return path not in self._base.entries and self._ignores().ignored(path)

    def _read_inside(self, path: str) -> bytes | None:
        """A file that only commands see, as it lies in a layer that their sandbox shows."""
        place = shlex.quote(path)
        told = self.run(f"test ! -L {place} && base64 <{place}", _LOOK_S)
        if told.exit_code:
            return None
        try:
            return base64.b64decode("".join(told.output.split()), validate=True)
        except binascii.Error:
            raise WorkspaceError(f"{path!r} is too large to be read") from None

    def _write_inside(self, path: str, data: bytes) -> bool:
        """Whether commands see it now; where a layer lies over its folder, only they can write."""
        encoded = base64.b64encode(data).decode()
        if len(encoded) > _LONGEST:
            return False
        check_path(path)
        place, folder = shlex.quote(path), shlex.quote(path.rpartition("/")[0] or ".")
        write = f"mkdir -p {folder} && test ! -L {place} && echo {encoded} | base64 -d >{place}"
        return self.run(write, _LOOK_S).exit_code == 0

    def _ignores(self) -> Ignores:
        return Ignores(self._gitignore, self._exclude)

    def _gitignore(self, path: str) -> bytes | None:
        try:
            return read_file(self.root, path, self._limit)
        except WorkspaceError:
            return None
