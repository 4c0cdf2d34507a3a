"""The engines that a scenario is played on, each with its own stores."""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING, Any

from fanfold.engine import LocalEngine
from fanfold.run.events import CancelRequested
from fanfold.run.state import Outcome
from fanfold.run.view import outcome_of
from fanfold.steps.attempt import attempt
from fanfold.steps.journal import Journal
from fanfold.steps.orphan import STOPPED, reap_attempt
from fanfold.steps.wiring import Supervision
from tests.fakes import stores
from tests.workflow.aws import cloud
from tests.workflow.aws.cloud import LOOKS, OUTGROWN_S
from tests.workflow.aws.site import OutOfOrder, build, played

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fanfold.run.events import AttemptDispatched
    from fanfold.run.state import RunState
    from fanfold.steps.wiring import Wiring
    from tests.workflow.aws.scenarios import Scenario
    from tests.workflow.aws.site import Played, Site


class StagedEngine(LocalEngine):
    """Does to attempts what the places of the cloud do to those that a scenario names."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.wiring, "engine")
        self._scenario = site.scenario

    def _attempt(self, state: RunState, dispatched: AttemptDispatched) -> None:
        name, scenario = dispatched.attempt, self._scenario
        if scenario.twice:
            self._twice(state, dispatched)
        elif name in scenario.dead:
            reap_attempt(state.run_id, name, "States.TaskFailed", _reapers(self.wiring))
        elif name in scenario.taken_away:
            looks = count(1)
            attempt(state, dispatched, self.wiring, "spot", lambda: next(looks) > LOOKS)
        elif name in scenario.outgrow:
            late = OUTGROWN_S
            attempt(state, dispatched, self.wiring, "light", lambda: False, escalate_after_s=late)
        else:
            super()._attempt(state, dispatched)

    def _twice(self, state: RunState, dispatched: AttemptDispatched) -> None:
        """As a queue that delivers at least once would."""
        both = threading.Barrier(2)

        def invoke(holder: str) -> None:
            both.wait()
            attempt(state, dispatched, self.wiring, holder, lambda: False)

        twin = threading.Thread(target=invoke, args=("twin",))
        twin.start()
        invoke("first")
        twin.join()


def memory(scenario: Scenario, folder: Path) -> Played:
    with stores.memory(folder) as opened:
        return _drive(build(scenario, folder / "repository", opened, "local"))


def local(scenario: Scenario, folder: Path) -> Played:
    with stores.local(folder) as opened:
        return _drive(build(scenario, folder / "repository", opened, "local"))


def cloud_stores(scenario: Scenario, folder: Path) -> Played:
    with stores.moto(folder) as opened:
        return _drive(build(scenario, folder / "repository", opened, "local"))


def _reapers(wiring: Wiring) -> Supervision:
    """As much of a supervision as a reaper of attempts needs."""
    absent: Any = None
    return Supervision(
        journal=lambda run_id: Journal(wiring.events, run_id),
        batch=absent,
        artifacts=wiring.artifacts,
        lease=wiring.lease,
        clock=wiring.clock,
        slots=absent,
        executions=absent,
        keys=absent,
    )


ENGINES: dict[str, Callable[[Scenario, Path], Played]] = {
    "memory": memory,
    "local": local,
    "local engine, cloud stores": cloud_stores,
    "cloud": cloud.play,
}


def _drive(site: Site) -> Played:
    """To the end: resumed where it broke, and with a person's next word where it waits."""
    words = list(site.scenario.words)
    site.stop = lambda: site.say(CancelRequested(STOPPED))

    def engine() -> LocalEngine:
        return StagedEngine(site)

    try:
        state = engine().drive(site.journal().run_id)
    except OutOfOrder:
        site.mend()
        state = engine().resume(site.journal().run_id)
    while outcome_of(state) is Outcome.WAITING:
        site.say(words.pop(0))
        state = engine().finish(site.journal())
    assert not words
    return played(site)
