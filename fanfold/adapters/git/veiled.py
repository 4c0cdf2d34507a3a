"""A workspace without the files that agents never see, `[context] deny`; its tree has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.git import trees
from fanfold.errors import TreeIncomplete, WorkspaceError
from fanfold.patch.globs import any_matches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanfold.adapters.git.base import Base
    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import CommandResult, StopSignal, Workspace

Entries = dict[str, trees.Entry]


def veil(repository: GitRepository, base: Base, hide: Sequence[str]) -> tuple[str, Entries]:
    """The tree of `base` without the files that `hide` matches, and those files."""
    hidden = {path: entry for path, entry in base.entries.items() if any_matches(hide, path)}
    if not hidden:
        return base.tree, hidden
    return trees.edit(repository.objects, base.tree, dict.fromkeys(hidden)), hidden


class Veiled:
    """`ports.Workspace` over one of a tree without `hidden`, which stay as they were."""

    def __init__(
        self, inner: Workspace, repository: GitRepository, hidden: Mapping[str, trees.Entry]
    ) -> None:
        self._inner, self._repository, self._hidden = inner, repository, hidden

    @property
    def has_shell(self) -> bool:
        return self._inner.has_shell

    def files(self) -> list[str]:
        return [path for path in self._inner.files() if path not in self._hidden]

    def read(self, path: str) -> bytes:
        self._refuse(path)
        return self._inner.read(path)

    def write(self, path: str, data: bytes) -> None:
        self._refuse(path)
        self._inner.write(path, data)

    def run(self, command: str, timeout_s: float, stop: StopSignal | None = None) -> CommandResult:
        return self._inner.run(command, timeout_s, stop)

    def tree(self) -> str:
        try:
            return self._whole(self._inner.tree())
        except TreeIncomplete as error:
            raise TreeIncomplete(str(error), self._whole(error.tree)) from error

    def _whole(self, tree: str) -> str:
        return trees.edit(self._repository.objects, tree, self._hidden)

    def left_out(self) -> list[str]:
        return self._inner.left_out()

    def close(self) -> None:
        self._inner.close()

    def _refuse(self, path: str) -> None:
        if path in self._hidden:
            raise WorkspaceError(f"{path!r} is kept from agents by [context] deny of the project")
