"""Check commands on a tree: a fresh checkout under the sandbox, gone afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import PrepareFailed
from fanfold.ports import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.ports import Workspaces


class TreeChecks:
    """`ports.Checks` over any workspaces with a shell."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    def run(self, tree: str, commands: Sequence[tuple[str, float]]) -> list[CommandResult]:
        """One result a command, in order; a red or late one does not keep the next from running.

        All are red on a tree that cannot be prepared.
        """
        if not commands:
            return []
        try:
            workspace = self._workspaces.open(tree, shell=True, name="check")  # noqa: S604
        except PrepareFailed as error:
            red = CommandResult(
                exit_code=error.code, output=f"{error}\n{error.output}", duration_s=0
            )
            return [red] * len(commands)
        try:
            return [workspace.run(command, timeout_s) for command, timeout_s in commands]
        finally:
            workspace.close()
