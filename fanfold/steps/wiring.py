"""The ports that the steps of one project talk to."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fanfold.agent.warmth import Warmth

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.agent.desk import Agent, Desk
    from fanfold.ports import (
        ArtifactStore,
        Checks,
        ClaimKeys,
        Clock,
        EventStore,
        Executions,
        Lease,
        ModelFactory,
        Prices,
        Repository,
        SecretScanner,
        Slots,
        Workspaces,
    )
    from fanfold.run.attempt import Context, Report
    from fanfold.run.events import AccessDecided
    from fanfold.run.offer import Offered
    from fanfold.steps.journal import BatchJournal, Journal


def _own_loop(context: Context, desk: Desk) -> Report:
    """Loaded with the first attempt, as most processes have none."""
    from fanfold.agent.attempt import run_attempt

    return run_attempt(context, desk)


@dataclass(frozen=True)
class Wiring:
    """One adapter a port; `has_shell` says whether attempts may have one here.

    With `has_containers` there is a place for every role; `offer` is the deployment's, if any.
    `stop` is set when this process must end: what runs then ends cleanly. `halt` is set while a
    run that was cancelled is under way: its checks end. `warmth` is what its
    attempts know of the prompt cache, `agent` who takes them; `secret_reads` are
    the secrets that this process was given when it was wired.
    """

    events: EventStore
    artifacts: ArtifactStore
    lease: Lease
    clock: Clock
    repository: Repository
    workspaces: Workspaces
    checks: Checks
    models: ModelFactory
    prices: Prices
    secrets: SecretScanner
    has_shell: bool
    has_containers: bool = True
    stop: threading.Event = field(default_factory=threading.Event)
    halt: threading.Event = field(default_factory=threading.Event)
    warmth: Warmth = field(default_factory=Warmth)
    agent: Agent = _own_loop
    secret_reads: tuple[AccessDecided, ...] = ()
    offer: Offered | None = None


@dataclass(frozen=True)
class Supervision:
    """What starts executions and lets them go on; `journal` opens the log of a run, `batch` of one.

    `keys` are what workers claim attempts with.
    """

    journal: Callable[[str], Journal]
    batch: Callable[[str], BatchJournal]
    artifacts: ArtifactStore
    lease: Lease
    clock: Clock
    slots: Slots
    executions: Executions
    keys: ClaimKeys
