"""What only the cloud can meet: places that end, throttles, repeated calls, long histories."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.run.attempt import Exit
from fanfold.run.events import attempt_stream
from fanfold.run.state import Outcome
from tests.kit.interpreter import bounded_histories
from tests.kit.step_functions import throttled
from tests.workflow.aws.cloud import NONE, Deployed, Trouble, deployed, drive
from tests.workflow.aws.scenarios import SCENARIOS, Scenario
from tests.workflow.aws.site import RUN

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.run.state import UnitState
    from tests.kit.step_functions import Function
    from tests.workflow.aws.site import Played

REPEATED = ("parallel", "gate", "repair", "cancel")


def _play(scenario: Scenario, folder: Path, trouble: Trouble) -> tuple[Played, Deployed]:
    with deployed(scenario, folder, trouble) as deployment:
        return drive(deployment), deployment


def _tries(played: Played) -> list[tuple[Exit | None, str]]:
    unit: UnitState = played.state.units["1.1"]
    return [(t.outcome, t.dispatched.placement) for t in unit.tries]


def test_what_outgrows_a_function_goes_on_in_a_container(tmp_path: Path) -> None:
    played, _ = _play(SCENARIOS["escalate"], tmp_path, NONE)
    assert _tries(played) == [(Exit.ESCALATE, "lambda"), (Exit.SUBMITTED, "fargate")]
    told = dict(played.story[attempt_stream(RUN, "1.1.2")])
    assert told["patch_produced"]["paths"] == ["alpha.txt"]


def test_what_spot_takes_away_goes_on_where_it_cannot(tmp_path: Path) -> None:
    played, deployment = _play(SCENARIOS["spot loss"], tmp_path, NONE)
    assert [o for o, _ in _tries(played)] == [Exit.INTERRUPTED, Exit.SUBMITTED]
    asked = [r["CapacityProviderStrategy"] for r in deployment.containers.requests]
    assert [c["CapacityProvider"] for (c,) in asked] == ["FARGATE_SPOT", "FARGATE"]
    told = dict(played.story[attempt_stream(RUN, "1.1.2")])
    assert told["patch_produced"]["paths"] == ["alpha.txt"]


def test_a_container_that_never_begins_uses_up_the_tries(tmp_path: Path) -> None:
    played, deployment = _play(SCENARIOS["dead containers"], tmp_path, NONE)
    assert [o for o, _ in _tries(played)] == [Exit.LOST, Exit.LOST]
    names = {r["TaskDefinition"] for r in deployment.containers.requests}
    assert names == {"worker-implementer"}


@pytest.mark.parametrize("name", REPEATED)
def test_every_function_called_twice_leaves_the_same_log(name: str, tmp_path: Path) -> None:
    def twice(_: str, function: Function) -> Function:
        def call(event: Any, context: Any) -> Any:
            function(event, context)
            return function(event, context)

        return call

    with deployed(SCENARIOS[name], tmp_path / "once") as deployment:
        once = drive(deployment)
    assert _play(SCENARIOS[name], tmp_path / "twice", Trouble(wrap=twice))[0].story == once.story


def test_a_throttle_is_no_failed_attempt(tmp_path: Path) -> None:
    calls: Counter[str] = Counter()

    def throttling(name: str, function: Function) -> Function:
        def call(event: Any, context: Any) -> Any:
            calls[name] += 1
            if calls[name] <= 2:
                raise throttled()
            return function(event, context)

        return call

    played, _ = _play(SCENARIOS["light roles"], tmp_path, Trouble(wrap=throttling))
    assert played.state.outcome is Outcome.COMPLETED
    assert _tries(played) == [(Exit.SUBMITTED, "lambda")]
    assert calls["attempt-docs"] == 3


def test_a_long_history_goes_on_in_the_next_execution(tmp_path: Path) -> None:
    with deployed(SCENARIOS["a long history"], tmp_path) as deployment:
        state = drive(deployment).state
        told = deployment.site.wiring.events.read(f"run/{RUN}")
    resumed = [event.data["handover"] for event in told if event.event_type == "run_resumed"]
    assert resumed == [True] * (state.generation - 1)
    assert resumed


@pytest.mark.parametrize(("history", "outcome"), [(40, Outcome.COMPLETED), (0, Outcome.FAILED)])
def test_only_who_hands_over_stays_within_the_longest_history(
    history: int, outcome: Outcome, tmp_path: Path
) -> None:
    scenario = replace(SCENARIOS["a long history"], history=history)
    with bounded_histories(70), deployed(scenario, tmp_path) as deployment:
        assert drive(deployment).state.outcome is outcome


def test_the_views_follow_the_streams_however_often_they_are_told(tmp_path: Path) -> None:
    with deployed(SCENARIOS["parallel"], tmp_path) as deployment:
        drive(deployment)
        streams = deployment.site.wiring.events.streams("run/")
        keys = [{"stream": {"S": s}, "version": {"S": "1"}} for s in (*streams, *streams)]
        records = [{"eventID": str(i), "dynamodb": {"Keys": k}} for i, k in enumerate(keys)]
        assert deployment.call("project", {"Records": records}) == {"batchItemFailures": []}
        (row,) = deployment.cloud.projections(RUN).runs()
        assert (row.run, row.standing) == (RUN, "completed")
        assert len(msgspec.json.encode(row)) < 2000


def test_a_stream_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    with deployed(SCENARIOS["parallel"], tmp_path) as deployment:
        keys = {"stream": {"S": "split/0123456789"}, "version": {"S": "1"}}
        records = [{"eventID": "1", "dynamodb": {"Keys": keys}}]
        assert deployment.call("project", {"Records": records}) == {"batchItemFailures": []}
