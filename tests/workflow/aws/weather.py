"""A scenario in the cloud while something fails; who is told that it failed asks again."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from fanfold.errors import FanfoldError
from fanfold.run.artifacts import QUEUE, WAITING
from fanfold.run.attempt import Exit
from fanfold.run.events import run_stream
from fanfold.steps.rest import is_waiting
from tests.workflow.aws.cloud import LOOK_S, PATIENCE_S
from tests.workflow.aws.site import RUN, played

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.run.events import EventData
    from fanfold.run.state import RunState
    from tests.kit.storm import Storm
    from tests.workflow.aws.cloud import Deployed
    from tests.workflow.aws.site import Played

OVER = "Step Functions Execution Status Change"
TRIES = 4

BROKEN_OFF = (Exit.LOST, Exit.INTERRUPTED, Exit.CRASHED)


def weather(deployment: Deployed, storm: Storm) -> Played:
    """Drive the run to its end, as queue, bus and schedule do: what fails comes again."""
    deployment.containers.around = storm.around_container
    words = list(deployment.site.scenario.words)
    _again(storm, deployment.request)
    latest = time.monotonic() + PATIENCE_S
    while (state := deployment.site.journal().state).outcome is None:
        assert time.monotonic() < latest, state
        time.sleep(LOOK_S)
        if words and is_waiting(state, deployment.cloud.supervision):
            word = words.pop(0)
            _again(storm, lambda word=word: _say(deployment, word))
        elif _is_over(deployment, state):
            _again(storm, lambda: deployment.call("reap", {}))
    while not _is_over(deployment, deployment.site.journal().state):
        time.sleep(LOOK_S)
    _again(storm, lambda: deployment.call("reap", _word_of_the_end(deployment)))
    deployment.call("reap", {})
    assert not words
    return played(deployment.site)


def assert_whole(deployment: Deployed, told: Played, calm: Played) -> None:
    """Nothing twice, nothing lost, nothing left held; the same end as without a failure."""
    supervision, state = deployment.cloud.supervision, told.state
    assert supervision.slots.taken() == []
    assert supervision.artifacts.list(QUEUE) == supervision.artifacts.list(WAITING) == []
    assert state.outcome is calm.state.outcome
    assert (state.tree, _standing(state)) == (calm.state.tree, _standing(calm.state))
    assert state.reserved == 0
    assert state.spent == sum(t.cost for u in state.units.values() for t in u.tries)
    kinds = Counter(kind for kind, _ in told.story[run_stream(RUN)])
    assert all(kinds[kind] == 1 for kind in ("run_requested", "run_admitted"))
    for stream, events in told.story.items():
        if "/attempt/" in stream:
            claims = Counter(kind for kind, _ in events)
            assert claims["attempt_claimed"] == 1, stream
            assert claims["attempt_ended"] <= 1, stream
    if not any(t.outcome in BROKEN_OFF for u in state.units.values() for t in u.tries):
        assert _dateless(told) == _dateless(calm)


def _dateless(played: Played) -> dict[str, list[tuple[str, Any]]]:
    """Without commits, whose names have their time in them: to ask again takes some."""
    return {
        stream: [(kind, data) for kind, data in events if kind != "plan_written_back"]
        for stream, events in played.story.items()
    }


def _standing(state: RunState) -> dict[str, str]:
    return {name: unit.status.value for name, unit in state.units.items()}


def _again(storm: Storm, ask: Callable[[], object]) -> None:
    for last in (False,) * (TRIES - 1) + (True,):
        try:
            with storm.blowing():
                ask()
        except (AssertionError, FanfoldError):
            if last:
                raise
        else:
            return


def _say(deployment: Deployed, word: EventData) -> None:
    deployment.say(word)


def _is_over(deployment: Deployed, state: RunState) -> bool:
    executions = deployment.cloud.supervision.executions
    execution = executions.name_of(RUN, state.generation)
    return deployment.has_begun(execution) and executions.is_over(execution)


def _word_of_the_end(deployment: Deployed) -> dict[str, Any]:
    generation = deployment.site.journal().state.generation
    arn = deployment.cloud.supervision.executions.name_of(RUN, generation)
    return {"detail-type": OVER, "detail": {"name": f"{RUN}-{generation}", "executionArn": arn}}
