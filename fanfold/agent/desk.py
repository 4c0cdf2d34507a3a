"""What an attempt is handed beside its context."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from fanfold.agent.warmth import Warmth

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.agent.log import AttemptLog
    from fanfold.agent.tools.bench import Check
    from fanfold.ports import Clock, Model, Prices, SecretScanner, Workspace
    from fanfold.run.attempt import Context, Exit, Report


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Ports and callbacks of one claimed attempt.

    `events` stands behind the claim. `keep_going` answers None, or the exit to stop with; it is
    asked before every model call and every write, and may raise `LeaseLost`. `transcript` gets
    redacted lines. `check` runs the unit checks when the model submits; red ones go back to it.
    `escalate_after_s` is when the place of this attempt comes to its end; `warmth` is shared by all
    attempts of the process.
    """

    events: AttemptLog
    workspace: Workspace
    model: Model
    prices: Prices
    clock: Clock
    secrets: SecretScanner
    keep_going: Callable[[], Exit | None]
    transcript: Callable[[dict[str, Any]], None]
    check: Check | None = None
    escalate_after_s: float | None = None
    warmth: Warmth = field(default_factory=Warmth)


class Agent(Protocol):
    """Who takes an attempt: our own loop, or whatever else works at such a desk."""

    def __call__(self, context: Context, desk: Desk) -> Report:
        """Work in `desk.workspace` until the task is done or must end; give what came of it.

        It raises nothing; every call that costs is announced in `desk.events` before, settled
        there after, and stays within the slice; it stops as soon as `desk.keep_going` says so.
        What it tells, by the report or the transcript, has lost its secrets.
        """
        ...
