"""Workspaces with a shell that are overlays until the first command: most attempts need no more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.ports import CommandResult, StopSignal, Workspace, Workspaces


class Opened(Protocol):
    """Opens the same tree, with a shell or without one."""

    def __call__(self, *, shell: bool) -> Workspace: ...


class DeferredCheckouts:
    """`ports.Workspaces` over others, which check a tree out only when a command must run in it."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    def open(
        self,
        tree: str,
        *,
        shell: bool,
        name: str,
        hide: Sequence[str] = (),
        hosts: Sequence[str] | None = None,
    ) -> Workspace:
        def opened(*, shell: bool) -> Workspace:
            return self._workspaces.open(tree, shell=shell, name=name, hide=hide, hosts=hosts)

        return _Deferred(opened) if shell else opened(shell=False)

    def close(self) -> None:
        self._workspaces.close()


class _Deferred:
    """`ports.Workspace`: an overlay, and from the first command on a checkout of what it held."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._inner = opened(shell=False)
        self._written: set[str] = set()
        self._lock = threading.Lock()
        self._checked_out = False

    def files(self) -> list[str]:
        return self._inner.files()

    def read(self, path: str) -> bytes:
        return self._inner.read(path)

    def write(self, path: str, data: bytes) -> None:
        self._inner.write(path, data)
        self._written.add(path)

    def run(self, command: str, timeout_s: float, stop: StopSignal | None = None) -> CommandResult:
        with self._lock:
            if not self._checked_out:
                self._check_out()
        return self._inner.run(command, timeout_s, stop)

    def _check_out(self) -> None:
        """Check out the base, so that git in it shows what was written since."""
        overlay = self._inner
        checkout = self._opened(shell=True)  # noqa: S604
        for path in sorted(self._written):
            checkout.write(path, overlay.read(path))
        self._inner, self._checked_out = checkout, True
        overlay.close()

    def left_out(self) -> list[str]:
        return self._inner.left_out()

    def tree(self) -> str:
        return self._inner.tree()

    def close(self) -> None:
        self._inner.close()

    @property
    def has_shell(self) -> bool:
        return True
