"""The engines that a scenario is played on, each with its own stores."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fanfold.engine import LocalEngine
from fanfold.run.state import Outcome
from fanfold.run.view import outcome_of
from fanfold.steps.attempt import attempt
from tests.fakes import stores
from tests.workflow.aws import cloud
from tests.workflow.aws.site import OutOfOrder, build, played

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fanfold.run.events import AttemptDispatched
    from fanfold.run.state import RunState
    from tests.workflow.aws.scenarios import Scenario
    from tests.workflow.aws.site import Played, Site


class TwiceEngine(LocalEngine):
    """Invokes every attempt twice at once, as a queue that delivers at least once would."""

    def _attempt(self, state: RunState, dispatched: AttemptDispatched) -> None:
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


ENGINES: dict[str, Callable[[Scenario, Path], Played]] = {
    "memory": memory,
    "local": local,
    "local engine, cloud stores": cloud_stores,
    "cloud": cloud.play,
}


def _drive(site: Site) -> Played:
    """To the end: resumed where it broke, and with a person's next word where it waits."""
    kind = TwiceEngine if site.scenario.twice else LocalEngine
    words = list(site.scenario.words)

    def engine() -> LocalEngine:
        return kind(site.wiring, "engine")

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
