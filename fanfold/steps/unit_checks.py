"""Unit checks: what the harness runs on an attempt's files each time its model submits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.agent.exits import Halted
from fanfold.agent.redaction import told_safely
from fanfold.errors import CloudUnavailable, Stopped
from fanfold.run.attempt import CheckResult, Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.agent.timing import Timing
    from fanfold.ports import CommandResult, Workspace
    from fanfold.run.attempt import Context
    from fanfold.run.events import CheckSpec
    from fanfold.steps.wiring import Wiring

TAIL = 4000
TRIES, PAUSE_S = 4, 10.0
"""Of checks that a place had no room for."""


class UnitChecks:
    """Red or green by the commands themselves, never by what the model says of them.

    Where the attempt has a shell they run among its own files, else on its tree wherever this
    deployment runs checks; what has not changed anything is not checked there. `claim` says
    whether to stop, `timing` how long the attempt has left: a check that is cut off by it is not
    red, but ends the attempt as its deadline does.
    """

    def __init__(
        self,
        checks: Sequence[CheckSpec],
        context: Context,
        workspace: Workspace,
        wiring: Wiring,
        claim: Callable[[], Exit | None],
        timing: Timing,
    ) -> None:
        self._checks, self._context = checks, context
        self._workspace, self._wiring = workspace, wiring
        self._claim, self._timing = claim, timing

    def __call__(self) -> tuple[CheckResult, ...]:
        """Raises `Halted`, `OutOfTime` or `DeadlineNear`; `LeaseLost`, or what `Checks` raises."""
        self._timing.check()
        try:
            finished = self._run_here() if self._context.shell else self._run_elsewhere()
        except Stopped as stopped:
            raise self._halted() from stopped
        if any(result.stopped for result in finished):
            raise self._halted()
        if any(result.timed_out for result in finished):
            self._timing.check()
        judged = zip(self._checks, finished, strict=False)
        return tuple(self._judged(check, result) for check, result in judged)

    def _run_here(self) -> list[CommandResult]:
        return [
            self._workspace.run(check.command, self._bounded(check), self._must_stop)
            for check in self._checks
        ]

    def _run_elsewhere(self) -> list[CommandResult]:
        tree = self._workspace.tree()
        if tree == self._context.base_tree:
            return []
        commands = [(check.command, self._bounded(check)) for check in self._checks]
        hide = self._context.context_deny
        for tries_left in reversed(range(TRIES)):
            try:
                return self._wiring.checks.run(tree, commands, hide=hide, stop=self._must_stop)
            except CloudUnavailable:
                if not tries_left:
                    raise
                self._timing.sleep(PAUSE_S, self._timing.check)
        raise AssertionError

    def _bounded(self, check: CheckSpec) -> float:
        return min(check.timeout_s, self._timing.left)

    def _must_stop(self) -> bool:
        return self._claim() is not None

    def _halted(self) -> Halted:
        return Halted(self._claim() or Exit.INTERRUPTED, "stopped from outside")

    def _judged(self, check: CheckSpec, result: CommandResult) -> CheckResult:
        return CheckResult(
            command=check.command,
            ok=result.exit_code == 0 and not result.timed_out,
            required=check.required,
            exit_code=result.exit_code,
            duration_s=round(result.duration_s, 3),
            output_tail=self._wiring.secrets.redact(result.output)[-TAIL:],
            incidents=told_safely(result.incidents, self._wiring.secrets),
        )
