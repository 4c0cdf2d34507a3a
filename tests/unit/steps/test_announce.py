"""The news of a run: each time that it ends or waits for a person, told at least once."""

from __future__ import annotations

from typing import Any

import pytest

from fanfold.errors import CloudUnavailable
from fanfold.run import events as e
from fanfold.steps.announce import announce
from tests.fakes.memory import MemoryEventStore
from tests.fakes.scripted_world import CENT, ScriptedWorld, admitted, unit

RUN = "r"


class Desk:
    """`ports.NewsDesk` in memory; `failing` times nothing can be told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.noted = 0
        self.failing = 0

    def told(self, run_id: str) -> int:
        return self.noted

    def tell(self, kind: str, detail: dict[str, Any]) -> None:
        if self.failing:
            self.failing -= 1
            raise CloudUnavailable("down")
        self.said.append((kind, detail))

    def note(self, run_id: str, version: int) -> None:
        self.noted = version


def stream(world: ScriptedWorld) -> MemoryEventStore:
    store = MemoryEventStore()
    for event in world.log:
        store.append(e.run_stream(RUN), event.version - 1, [event.data])
    return store


@pytest.fixture
def gated() -> ScriptedWorld:
    world = ScriptedWorld(admitted(unit("a"), unit("g", "a", kind="gate")), people=False)
    world.run()
    return world


def test_a_run_that_waits_and_ends_is_told_of_twice(gated: ScriptedWorld) -> None:
    desk = Desk()
    announce(RUN, stream(gated), desk)
    ((kind, detail),) = desk.said
    assert kind == "fanfold.run.waiting"
    assert detail["gates"] == ["g"]
    assert detail["cost_usd"] == "0.01"
    assert detail["artifacts"]["report"] == "runs/r/result/report.md"
    gated.say(e.ApprovalGranted("g"))
    gated.run()
    for _ in range(2):
        announce(RUN, stream(gated), desk)
    assert [kind for kind, _ in desk.said] == ["fanfold.run.waiting", "fanfold.run.completed"]
    assert len({detail["id"] for _, detail in desk.said}) == 2


def test_news_that_could_not_be_told_comes_again_under_the_same_id(gated: ScriptedWorld) -> None:
    desk, whole = Desk(), Desk()
    desk.failing = 1
    with pytest.raises(CloudUnavailable):
        announce(RUN, stream(gated), desk)
    announce(RUN, stream(gated), desk)
    announce(RUN, stream(gated), whole)
    assert desk.said == whole.said


def test_what_happened_unseen_is_told_in_its_order(gated: ScriptedWorld) -> None:
    gated.say(e.CancelRequested())
    gated.run()
    gated.resume()
    gated.run()
    gated.say(e.ApprovalGranted("g"))
    gated.run()
    desk = Desk()
    announce(RUN, stream(gated), desk)
    told = [kind.removeprefix("fanfold.run.") for kind, _ in desk.said]
    assert told == ["waiting", "cancelled", "waiting", "completed"]


def test_a_rejection_comes_with_its_reason_and_no_artifacts() -> None:
    store, desk = MemoryEventStore(), Desk()
    asked = e.RunRequested(RUN, "plan.md", "0" * 64, "base")
    store.append(e.run_stream(RUN), 0, [asked, e.RunRejected("no snapshot")])
    announce(RUN, store, desk)
    ((kind, detail),) = desk.said
    assert (kind, detail["reason"], detail["artifacts"]) == (
        "fanfold.run.failed",
        "no snapshot",
        {},
    )


def test_a_run_under_way_is_no_news() -> None:
    world = ScriptedWorld(admitted(unit("a"), limits=e.RunLimits(1000 * CENT, CENT)))
    desk = Desk()
    announce(RUN, stream(world), desk)
    assert desk.said == []
