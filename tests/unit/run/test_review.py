"""A reviewer looks at a patch before it is merged, and may send it back once."""

from __future__ import annotations

import pytest

from fanfold.run import events as e
from fanfold.run.attempt import ACCEPT, SEND_BACK, Exit, Purpose
from fanfold.run.decide import decide
from fanfold.run.estimate import estimate
from fanfold.run.evolve import evolve
from fanfold.run.state import Outcome
from fanfold.run.steps import Dispatch
from tests.fakes.scripted_world import CENT, ScriptedWorld, admitted, unit

REVIEW = e.RunOptions(review=True)


def dispatches(world: ScriptedWorld) -> list[e.AttemptDispatched]:
    return [r.data for r in world.log if isinstance(r.data, e.AttemptDispatched)]


def applied(world: ScriptedWorld) -> list[str]:
    return [a.attempt for a in world.state.applied]


def test_an_accepted_patch_is_merged() -> None:
    world = ScriptedWorld(admitted(unit("a"), options=REVIEW), picks={"a.2": ACCEPT})
    world.run()
    written, looked = dispatches(world)
    assert (written.purpose, written.role) == (Purpose.WORK, "implementer")
    assert (looked.purpose, looked.role, looked.continues) == (Purpose.REVIEW, "reviewer", "a.1")
    assert applied(world) == ["a.1"]
    assert world.state.outcome is Outcome.COMPLETED


def test_a_patch_that_is_sent_back_is_mended_once_by_who_goes_on_from_it() -> None:
    world = ScriptedWorld(admitted(unit("a"), options=REVIEW), picks={"a.2": SEND_BACK})
    world.run()
    *_, mended = dispatches(world)
    assert (mended.attempt, mended.purpose, mended.continues) == ("a.3", Purpose.WORK, "a.1")
    assert mended.hint.startswith("A reviewer sent this back:")
    assert applied(world) == ["a.3"]


@pytest.mark.parametrize("outcome", [Exit.STUCK, Exit.LOST, Exit.BLOCKED, Exit.MODEL_DENIED])
def test_a_review_that_was_not_made_stops_no_patch(outcome: Exit) -> None:
    world = ScriptedWorld(admitted(unit("a"), options=REVIEW), ends={"a.2": outcome})
    world.run()
    assert len(dispatches(world)) == 2
    assert applied(world) == ["a.1"]


def test_a_review_that_was_interrupted_is_made_again() -> None:
    world = ScriptedWorld(
        admitted(unit("a"), options=REVIEW), ends={"a.2": Exit.INTERRUPTED}, picks={"a.3": ACCEPT}
    )
    world.run()
    assert [d.continues for d in dispatches(world)] == [None, "a.1", "a.1"]
    assert applied(world) == ["a.1"]


def test_a_review_that_nobody_can_pay_for_lets_the_patch_pass() -> None:
    limits = e.RunLimits(100 * CENT, 100 * CENT)
    world = ScriptedWorld(
        admitted(unit("a"), options=REVIEW, limits=limits), costs={"a.1": 100 * CENT}
    )
    world.run()
    assert len(dispatches(world)) == 1
    assert applied(world) == ["a.1"]


def test_the_arbiters_choice_is_reviewed() -> None:
    options = e.RunOptions(review=True, candidates=2)
    world = ScriptedWorld(
        admitted(unit("a"), options=options), picks={"a.3": "a.2", "a.4": SEND_BACK}
    )
    world.run()
    purposes = [Purpose.CANDIDATE, Purpose.CANDIDATE, Purpose.PICK, Purpose.REVIEW, Purpose.WORK]
    sent = dispatches(world)
    assert [d.purpose for d in sent] == purposes
    assert (sent[3].continues, sent[4].continues) == ("a.2", "a.2")
    assert applied(world) == ["a.5"]


def test_what_is_not_merged_yet_still_holds_back_its_dependents() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b", "a"), options=REVIEW))
    while not any(d.purpose is Purpose.REVIEW for d in dispatches(world)):
        step = decide(world.state)
        if isinstance(step, Dispatch) and step.fresh:
            world.append(*step.attempts)
            world.state = evolve(world.state, world.log[-1])
            continue
        world.perform(step)
    assert [d.unit for d in dispatches(world)] == ["a", "a"]


def test_without_the_option_nobody_looks() -> None:
    world = ScriptedWorld(admitted(unit("a")))
    world.run()
    assert [d.purpose for d in dispatches(world)] == [Purpose.WORK]


def test_an_estimate_counts_the_looks() -> None:
    plain = estimate([["a", "b"]], ["a", "b"], concurrency=2, cost=lambda usage: usage.context)
    looked = plain.reviewed()
    assert looked.attempts == 2 * plain.attempts
    assert plain.dollars.likely < looked.dollars.likely < looked.dollars.high
