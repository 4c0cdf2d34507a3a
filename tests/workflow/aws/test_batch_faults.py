"""What batches meet in the cloud alone: one slot, words that come twice, requests that fail."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.errors import FanfoldError
from fanfold.run.artifacts import QUEUE, UNDER_WAY, WAITING
from fanfold.run.batch_events import batch_stream
from fanfold.run.state import Outcome
from tests.kit.account import shared_clients
from tests.kit.storm import storm
from tests.workflow.aws.batch_engines import batch_deployed, memory
from tests.workflow.aws.batch_scenarios import BATCHES
from tests.workflow.aws.batch_site import BATCH, played
from tests.workflow.aws.cloud import PATIENCE_S, Trouble

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kit.step_functions import Function
    from tests.kit.storm import Storm
    from tests.workflow.aws.batch_engines import Place
    from tests.workflow.aws.batch_site import PlayedBatch

ONCE = ("batch_requested", "run_requested", "run_admitted")
SWEEP_S = 1.0
STRIKES = (("down", 30), ("lost answer", 90), ("throttled", 150))


def test_a_batch_takes_no_slot_and_every_word_of_it_may_come_twice(tmp_path: Path) -> None:
    def twice(_: str, function: Function) -> Function:
        def call(event: Any, context: Any) -> Any:
            function(event, context)
            return function(event, context)

        return call

    scenario = replace(BATCHES["a conflict"], slots=1)
    told = memory(scenario, tmp_path / "here")
    with batch_deployed(scenario, tmp_path / "there", Trouble(wrap=twice)) as place:
        place.hand_in()
        for _ in range(2):
            assert place.request() == {"batchItemFailures": []}
        state = place.settle(copies=2)
        there = played(place.site)
        assert_nothing_is_held(place)
        keys = {"stream": {"S": batch_stream(BATCH)}, "version": {"S": "1"}}
        records = [{"eventID": str(n), "dynamodb": {"Keys": keys}} for n in range(2)]
        assert place.deployment.call("project", {"Records": records}) == {"batchItemFailures": []}
        projections = place.deployment.cloud.projections(next(iter(state.folds)))
        assert [e.event_type for e in projections.page().envelopes].count("batch_ended") == 1
    assert any(kind == "run_queued" for events in there.story.values() for kind, _ in events)
    for stream, events in there.story.items():
        assert [e for e in events if e[0] != "run_queued"] == told.story[stream]


@pytest.mark.parametrize(("kind", "at"), STRIKES)
def test_a_request_that_fails_for_good_does_a_batch_no_harm(
    kind: str, at: int, tmp_path: Path
) -> None:
    scenario = BATCHES["a gate"]
    told = memory(scenario, tmp_path / "here")
    with (
        storm(at, kind) as brewing,
        batch_deployed(scenario, tmp_path / "there", Trouble(brewing.around)) as place,
    ):
        place.deployment.containers.around = brewing.around_container
        _weather(place, brewing)
        there = played(place.site)
        assert brewing.struck
        assert_nothing_is_held(place)
    assert there.state.outcome is told.state.outcome
    assert there.state.available >= 0
    assert _tracks(there) == _tracks(told)
    for events in there.story.values():
        kinds = [kind for kind, _ in events]
        assert all(kinds.count(k) <= 1 for k in ONCE)


def _tracks(played: PlayedBatch) -> list[tuple[str, str, bool]]:
    return [(t["id"], t["state"], t["folded"]) for t in played.view["tracks"]]


def _weather(place: Place, brewing: Storm) -> None:
    """As queue, bus, schedule and person do: what fails comes again."""
    words = list(place.site.scenario.words)
    place.hand_in()
    _again(place.request, brewing)
    latest = time.monotonic() + PATIENCE_S
    while words or place.site.journal().state.outcome is not Outcome.COMPLETED:
        assert time.monotonic() < latest, place.site.journal().state
        _again(place.deliver, brewing)
        if place.site.journal().state.outcome is Outcome.WAITING and words:
            track, word = words.pop(0)
            _again(lambda track=track, word=word: place.say(track, word), brewing)
        _again(lambda: place.deployment.call("reap", {}), brewing)
        time.sleep(SWEEP_S)
    place.settle()


def _again(ask: Any, brewing: Storm) -> None:
    for _ in range(3):
        try:
            with brewing.blowing():
                ask()
        except FanfoldError:
            continue
        return
    ask()


def assert_nothing_is_held(place: Place) -> None:
    supervision = place.deployment.cloud.supervision
    assert supervision.slots.taken() == []
    for prefix in (QUEUE, WAITING, UNDER_WAY):
        assert supervision.artifacts.list(prefix) == [], prefix
    running = shared_clients().state_machines.list_executions(
        stateMachineArn=place.deployment.state_machine, statusFilter="RUNNING"
    )["executions"]
    assert running == []
