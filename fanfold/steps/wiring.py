"""The ports that the steps of one project talk to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanfold.ports import (
        ArtifactStore,
        Checks,
        Clock,
        EventStore,
        Lease,
        ModelFactory,
        Prices,
        Repository,
        SecretScanner,
        Workspaces,
    )


@dataclass(frozen=True)
class Wiring:
    """One adapter a port; `has_shell` says whether attempts may have one here."""

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
