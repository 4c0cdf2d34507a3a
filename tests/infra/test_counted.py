"""What is watched is what the functions write: a misspelt metric would look like a quiet one."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from fanfold.run.attempt import Exit, Metrics, Usage
from fanfold.run.events import (
    ApprovalRequested,
    AttemptFinished,
    BudgetExhausted,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunIncomplete,
    RunQueued,
    RunRejected,
    run_stream,
)
from functions.metrics import ENDS, count, gauge_slots
from infra.bundle import ROOT
from infra.functions import roles
from tests.fakes.memory import MemoryEventStore
from tests.kit.templates import properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.run.events import Envelope, EventData
    from fanfold.run.state import RunState
    from tests.kit.templates import Template

Named = tuple[str, frozenset[tuple[str, str]]]
NAMESPACE = "fanfold"
SPENT = Metrics(nudges=1, retries=1, usage=Usage(1, 1, 1, 1, 1))
OF_RUNS: tuple[EventData, ...] = (
    *(RunQueued("full"), RunRejected("no plan"), RunCompleted(True), RunIncomplete(True)),
    *(RunFailed("checks"), RunCancelled(), BudgetExhausted(1, 1, ("1.1",))),
    ApprovalRequested("g", "t", "f", "p", 1),
)


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> set[Named]:
    """The metrics of a deployment in which everything happens, to every kind of agent."""
    ended = [_finished(role, end) for role in roles(ROOT) for end in Exit]
    count(_envelopes(*OF_RUNS, *ended), lambda: cast("RunState", _AnyRun()))
    gauge_slots(1, 1, 1)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {named for line in lines for named in _names(line)}


def test_each_alarm_on_a_count_can_go_off(watch_template: Template, written: set[Named]) -> None:
    watched = set(_alarmed(watch_template))
    assert {name for name, _ in watched} == {"SlotsExpired", "BudgetRefusals", "ModelRetries"}
    assert watched <= written


def test_the_dashboard_shows_what_is_counted_and_only_that(
    watch_template: Template, written: set[Named]
) -> None:
    graphed = set(_graphed(watch_template))
    assert graphed <= written
    assert written - graphed <= set(_alarmed(watch_template))


def test_each_end_of_an_attempt_is_counted_once() -> None:
    assert sorted(itertools.chain(*ENDS.values())) == sorted(Exit)


def test_what_tells_runs_apart_is_no_dimension(capsys: pytest.CaptureFixture[str]) -> None:
    count(_envelopes(_finished("docs", Exit.STUCK)), lambda: cast("RunState", _AnyRun()))
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    (dimensions,) = first["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert sorted(dimensions) == ["agent", "service"]
    assert first["run_id"] == "r1"
    assert first["gen_ai.usage.input_tokens"] == 4
    assert first["Attempts"] == first["AttemptsStuck"] == first["LoopsStopped"] == [1.0]


class _AnyRun:
    """A run in which each attempt is called after its role."""

    run_id = "r1"

    @property
    def units(self) -> Any:
        return {"u": self}

    def try_of(self, attempt: str) -> Any:
        self.dispatched, self.role = self, attempt
        return self


def _finished(role: str, end: Exit) -> AttemptFinished:
    return AttemptFinished(attempt=role, unit="u", outcome=end, cost=1, metrics=SPENT)


def _envelopes(*events: EventData) -> list[Envelope]:
    store = MemoryEventStore()
    store.append(run_stream("r1"), 0, events)
    return store.read(run_stream("r1"))


def _names(line: dict[str, Any]) -> Iterator[Named]:
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert directive["Namespace"] == NAMESPACE
        for names in directive["Dimensions"]:
            dimensions = frozenset((name, line[name]) for name in names)
            yield from ((metric["Name"], dimensions) for metric in directive["Metrics"])


def _alarmed(template: Template) -> Iterator[Named]:
    for alarm in properties(template, "AWS::CloudWatch::Alarm"):
        if alarm.get("Namespace") == NAMESPACE:
            pairs = ((dimension["Name"], dimension["Value"]) for dimension in alarm["Dimensions"])
            yield alarm["MetricName"], frozenset(pairs)


def _graphed(template: Template) -> Iterator[Named]:
    (dashboard,) = properties(template, "AWS::CloudWatch::Dashboard")
    body = "".join(
        part if isinstance(part, str) else "…" for part in dashboard["DashboardBody"]["Fn::Join"][1]
    )
    for widget in json.loads(body)["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if metric[0] == NAMESPACE:
                pairs = [part for part in metric[2:] if isinstance(part, str)]
                yield metric[1], frozenset(zip(pairs[::2], pairs[1::2], strict=True))
