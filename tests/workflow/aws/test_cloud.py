"""What only the cloud can meet: places that end, throttles, repeated calls, long histories."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.adapters.local.script import Script, Turn, submit, write_files
from fanfold.run.attempt import Exit
from fanfold.run.events import attempt_stream
from fanfold.run.state import Outcome
from fanfold.steps import hand_over
from tests.kit.step_functions import throttled
from tests.workflow.aws.cloud import Deployed, Trouble, deployed, drive
from tests.workflow.aws.scenarios import CHAIN, SCENARIOS, Scenario
from tests.workflow.aws.site import RUN

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.run.state import UnitState
    from tests.kit.step_functions import Function
    from tests.workflow.aws.scenarios import Stage
    from tests.workflow.aws.site import Played

REPEATED = ("parallel", "gate", "repair", "cancel")


def _slowly(_: Stage) -> Script:
    slow = Turn(calls=write_files({"late.txt": "late\n"}).calls, delay_s=60.0)
    return Script.of(
        {
            ("Document alpha", None, 1): (write_files({"alpha.txt": "half\n"}), slow),
            ("Document alpha", None, 2): (submit("Went on."),),
        }
    )


ONE = Scenario(
    CHAIN + "- [ ] Task: Document alpha\n", _slowly, Outcome.COMPLETED, {"1.1": "merged"}
)


def _play(scenario: Scenario, folder: Path, trouble: Trouble) -> tuple[Played, Deployed]:
    with deployed(scenario, folder, trouble) as deployment:
        return drive(deployment), deployment


def _tries(played: Played) -> list[tuple[Exit | None, str]]:
    unit: UnitState = played.state.units["1.1"]
    return [(t.outcome, t.dispatched.placement) for t in unit.tries]


def test_what_outgrows_a_function_goes_on_in_a_container(tmp_path: Path) -> None:
    played, _ = _play(ONE, tmp_path, Trouble(function_s=150.0))
    assert _tries(played) == [(Exit.ESCALATE, "lambda"), (Exit.SUBMITTED, "fargate")]
    assert played.state.outcome is Outcome.COMPLETED
    told = dict(played.story[attempt_stream(RUN, "1.1.2")])
    assert told["patch_produced"]["paths"] == ["alpha.txt"]


def test_what_spot_takes_away_goes_on_where_it_cannot(tmp_path: Path) -> None:
    scenario = replace(ONE, plan=CHAIN + "- [ ] Task: alpha\n", agents=_twice)
    trouble = Trouble(taken_away=frozenset({"1.1.1"}))
    played, deployment = _play(scenario, tmp_path, trouble)
    assert [o for o, _ in _tries(played)] == [Exit.INTERRUPTED, Exit.SUBMITTED]
    asked = [r["CapacityProviderStrategy"] for r in deployment.containers.requests]
    assert [c["CapacityProvider"] for (c,) in asked] == ["FARGATE_SPOT", "FARGATE"]
    told = dict(played.story[attempt_stream(RUN, "1.1.2")])
    assert told["patch_produced"]["paths"] == ["alpha.txt"]


def _twice(_: Stage) -> Script:
    wrote = write_files({"alpha.txt": "half\n"})
    return Script.of({("alpha", None, 1): (wrote, wrote, wrote), ("alpha", None, 2): (submit(),)})


def test_a_container_that_never_begins_uses_up_the_tries(tmp_path: Path) -> None:
    scenario = replace(ONE, plan=CHAIN + "- [ ] Task: alpha\n")
    trouble = Trouble(dead=frozenset({"1.1.1", "1.1.2"}))
    played, deployment = _play(scenario, tmp_path, trouble)
    assert [o for o, _ in _tries(played)] == [Exit.LOST, Exit.LOST]
    assert played.state.outcome is Outcome.INCOMPLETE
    assert played.state.spent == 0
    assert [r["TaskDefinition"] for r in deployment.containers.requests] == [
        "worker-implementer"
    ] * 2


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


def test_a_long_history_goes_on_in_the_next_execution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_over, "LONGEST_HISTORY", 40)
    played, _ = _play(SCENARIOS["dependency"], tmp_path, Trouble())
    assert played.state.outcome is SCENARIOS["dependency"].outcome
    assert played.state.generation > 1
    resumed = [data for kind, data in played.story[f"run/{RUN}"] if kind == "run_resumed"]
    assert all(data["handover"] for data in resumed)
    assert len(resumed) == played.state.generation - 1


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
