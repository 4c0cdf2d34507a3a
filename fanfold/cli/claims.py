"""A plan is run by one process at a time."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fanfold.bootstrap import holder, local_lease
from fanfold.errors import FanfoldError, LeaseHeld, RunBusy
from fanfold.steps.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Generator

    from fanfold.bootstrap import Project
    from fanfold.cli.engines import Engine

LONGEST_S = 24 * 3600.0


@contextmanager
def claimed(project: Project, engine: Engine, plan: str) -> Generator[None]:
    """Keep everybody else from running `plan` while the block runs.

    A run in the background holds no claim: its own lease says that it is under way.

    Raises:
        RunBusy: somebody runs it now.
    """
    lease, name, owner = local_lease(project), f"plan/{plan}", holder()
    try:
        lease.acquire(name, owner, LONGEST_S)
    except LeaseHeld as error:
        raise RunBusy(f"{plan} is being run already, by {error.holder}{_how(None)}") from None
    try:
        busy = _driven_run_of(engine, plan)
        if busy is not None:
            raise RunBusy(f"{plan} is being run already, as run {busy}{_how(busy)}")
        yield
    finally:
        # On a full disk it cannot be written; it ends with this process all the same.
        with suppress(FanfoldError):
            lease.release(name, owner)


def _how(run_id: str | None) -> str:
    return f"; `fanfold watch{f' {run_id}' if run_id else ''}` follows it"


def _driven_run_of(engine: Engine, plan: str) -> str | None:
    driven = (name for name in engine.names() if engine.is_driven(name))
    return next((n for n in driven if Journal(engine.events, n).refresh().plan == plan), None)
