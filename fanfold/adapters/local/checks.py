"""Check commands on a tree: a fresh checkout under the sandbox, gone afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import PrepareFailed, Stopped
from fanfold.ports import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.ports import StopSignal, Workspace, Workspaces


class TreeChecks:
    """`ports.Checks` over any workspaces with a shell."""

    def __init__(self, workspaces: Workspaces, stop: StopSignal | None = None) -> None:
        self._workspaces, self._stop = workspaces, stop

    def run(
        self,
        tree: str,
        commands: Sequence[tuple[str, float]],
        *,
        hide: Sequence[str] = (),
        stop: StopSignal | None = None,
        so_far: Callable[[Sequence[CommandResult]], None] | None = None,  # noqa: ARG002
    ) -> list[CommandResult]:
        """One result a command, in order; a red or late one does not keep the next from running.

        All are red on a tree that cannot be prepared. Raises `Stopped` when told to stop meanwhile.
        """
        if not commands:
            return []
        try:
            workspace = self._workspaces.open(tree, shell=True, name="check", hide=hide)  # noqa: S604
        except PrepareFailed as error:
            red = CommandResult(
                exit_code=error.code, output=f"{error}\n{error.output}", duration_s=0
            )
            return [red] * len(commands)
        try:
            signal = either(self._stop, stop)
            return [self._run(workspace, *command, signal) for command in commands]
        finally:
            workspace.close()

    def _run(
        self, workspace: Workspace, command: str, timeout_s: float, stop: StopSignal | None
    ) -> CommandResult:
        result = workspace.run(command, timeout_s, stop)
        if result.stopped:
            raise Stopped(f"check {command!r} was stopped")
        return result


def either(first: StopSignal | None, second: StopSignal | None) -> StopSignal | None:
    """What is true as soon as one of two is."""
    if first is None or second is None:
        return first or second
    return lambda: first() or second()
