"""Check commands on a tree: a fresh checkout under the sandbox, gone afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.ports import CommandResult, Workspaces


class TreeChecks:
    """`ports.Checks` over any workspaces with a shell."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    def run(self, tree: str, commands: Sequence[tuple[str, float]]) -> list[CommandResult]:
        """One result a command, in order; a red or late one does not keep the next from running."""
        if not commands:
            return []
        workspace = self._workspaces.open(tree, shell=True, name="check")  # noqa: S604
        try:
            return [workspace.run(command, timeout_s) for command, timeout_s in commands]
        finally:
            workspace.close()
