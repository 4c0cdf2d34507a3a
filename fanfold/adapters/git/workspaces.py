"""Where workspaces live: private folders that vanish on close, or after their process died."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.adapters.folders import remove
from fanfold.adapters.git.base import MAX_FILE_BYTES, Base
from fanfold.adapters.git.checkout import Checkout
from fanfold.adapters.git.overlay import Overlay
from fanfold.adapters.git.private_git import Packs
from fanfold.adapters.git.veiled import Veiled, veil
from fanfold.errors import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import Sandbox, Workspace

    Furnish = Callable[[str, Path], Sequence[str]]

CHECKOUT = "fanfold-checkout"
"""The one place for checkouts in containers and functions, below the folder for temporary files."""

_BASES_KEPT = 8


class GitWorkspaces:
    """`ports.Workspaces`: overlays without a shell, checkouts below `home` with one.

    `home` is a folder of the user's own; `furnish` puts prepared files for a tree into a fresh
    checkout and gives the patterns that its `tree` leaves out. With `at` there is one place for
    checkouts, as what was prepared may hold its path; who finds it taken gets another one.
    """

    def __init__(
        self,
        repository: GitRepository,
        home: Path,
        sandbox: Sandbox | None = None,
        *,
        max_file_bytes: int = MAX_FILE_BYTES,
        furnish: Furnish | None = None,
        at: Path | None = None,
    ) -> None:
        self._repository, self._home, self._sandbox = repository, home, sandbox
        self._limit, self._furnish, self._at = max_file_bytes, furnish, at
        self._lock = threading.Lock()
        self._bases: dict[str, Base] = {}
        self._folder: _Folder | None = None
        self._lock_on_own: int | None = None

    def open(
        self,
        tree: str,
        *,
        shell: bool,
        name: str,
        hide: Sequence[str] = (),
        hosts: Sequence[str] | None = None,
    ) -> Workspace:
        """Raises `SandboxUnavailable` where a shell is asked for and nothing can contain it."""
        if shell and self._sandbox is None:
            raise SandboxUnavailable("no sandbox for a role with a shell: see `fanfold doctor`")
        visible, hidden = veil(self._repository, self._base(tree), hide)
        if not shell or self._sandbox is None:
            workspace: Workspace = Overlay(self._repository, self._base(visible), self._limit)
        else:
            workspace = self._checkout(self._sandbox, visible, name, tree, hosts)
        return Veiled(workspace, self._repository, hidden) if hidden else workspace

    def _checkout(
        self,
        sandbox: Sandbox,
        tree: str,
        name: str,
        furnish_for: str,
        hosts: Sequence[str] | None,
    ) -> Checkout:
        base, folder = self._base(tree), self._opened()
        label = re.sub(r"[^\w.-]", "-", name)[:40]
        place, discard = self._place(label, folder)
        root = place / "tree"
        root.mkdir()
        try:
            exclude = self._furnish(furnish_for, root) if self._furnish else ()
            return Checkout(
                self._repository,
                base,
                root,
                sandbox,
                folder.packs(self._repository),
                exclude=exclude,
                hosts=hosts,
                max_file_bytes=self._limit,
                discard=discard,
            )
        except BaseException:
            discard()
            raise

    def _place(self, label: str, folder: _Folder) -> tuple[Path, Callable[[], None]]:
        """An empty folder for a checkout, and what removes it."""
        lock = _taken(self._at) if self._at else None
        if self._at is None or lock is None:
            place = Path(tempfile.mkdtemp(prefix=f"{label}-", dir=folder.path))
            return place, lambda: remove(place)
        self._lock_on_own = lock
        return self._at, self._leave_own

    def _leave_own(self) -> None:
        """Remove the checkout in the one place for them, if it is there."""
        lock, self._lock_on_own = self._lock_on_own, None
        if self._at is not None and lock is not None:
            remove(self._at)
            os.close(lock)

    def close(self) -> None:
        """Remove every workspace of this process."""
        self._leave_own()
        with self._lock:
            if self._folder is not None:
                self._folder.close()
                self._folder = None

    def _base(self, tree: str) -> Base:
        with self._lock:
            base = self._bases.get(tree)
            if base is None:
                base = self._bases[tree] = Base(self._repository.objects, tree)
                for old in list(self._bases)[:-_BASES_KEPT]:
                    del self._bases[old]
            return base

    def _opened(self) -> _Folder:
        with self._lock:
            if self._folder is None:
                self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
                sweep(self._home)
                self._folder = _Folder(self._home)
            return self._folder


class _Folder:
    """One process's folder below `home`; a lock on it says that the process lives."""

    def __init__(self, home: Path) -> None:
        self.path, self._lock = _locked(home)
        self._packs: Packs | None = None

    def packs(self, repository: GitRepository) -> Packs:
        if self._packs is None:
            self._packs = Packs(repository, self.path / "objects")
        return self._packs

    def close(self) -> None:
        remove(self.path)
        os.close(self._lock)


def _locked(home: Path) -> tuple[Path, int]:
    """A new folder with its lock; another one where a sweep was faster than the lock."""
    while True:
        path = Path(tempfile.mkdtemp(prefix="live-", dir=home))
        with suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)


def _taken(place: Path) -> int | None:
    """A lock on the folder `place`, which is empty then; None where another checkout is there."""
    while True:
        place.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            lock = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return None
            if place.exists() and place.stat().st_ino == os.fstat(lock).st_ino:
                for left in place.iterdir():
                    remove(left)
                return lock
            os.close(lock)


def sweep(home: Path) -> int:
    """Remove the folders below `home` whose process is gone; gives how many went."""
    gone = 0
    for folder in home.glob("live-*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            remove(folder)
            gone += 1
        finally:
            os.close(lock)
    return gone
