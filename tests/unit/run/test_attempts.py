"""What follows from the end of an attempt: another one, a patch, or the end of its unit."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fanfold.run import events as e
from fanfold.run.attempt import Exit, Purpose
from fanfold.run.decide import decide
from fanfold.run.evolve import evolve
from fanfold.run.state import Outcome, RunState
from fanfold.run.steps import Dispatch
from fanfold.run.wave import wave_of
from tests.fakes.scripted_world import CENT, ScriptedWorld, admitted, unit
from tests.fakes.world import START


def dispatches(world: ScriptedWorld) -> list[e.AttemptDispatched]:
    return [r.data for r in world.log if isinstance(r.data, e.AttemptDispatched)]


def names(world: ScriptedWorld) -> list[str]:
    return [d.attempt for d in dispatches(world)]


def test_independent_units_start_in_one_wave() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b"), unit("c", "a", "b")))
    world.run()
    waves = [s for s in world.taken if isinstance(s, Dispatch)]
    assert [[d.unit for d in w.attempts] for w in waves] == [["a", "b"], ["c"]]
    assert world.state.outcome is Outcome.COMPLETED


def test_an_attempt_builds_on_the_tree_of_what_it_needs() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b", "a")))
    world.run()
    assert [d.base_tree for d in dispatches(world)] == ["base", "base+a.1"]


@pytest.mark.parametrize("outcome", [Exit.STUCK, Exit.CRASHED, Exit.NO_SUBMIT])
def test_a_failed_attempt_is_tried_again_with_what_went_wrong(outcome: Exit) -> None:
    world = ScriptedWorld(admitted(unit("a")), ends={"a.1": outcome})
    world.run()
    assert names(world) == ["a.1", "a.2"]
    again = dispatches(world)[1]
    assert (again.hint, again.continues) == (outcome.value, None)
    assert world.state.outcome is Outcome.COMPLETED


@pytest.mark.parametrize("outcome", [Exit.STEPS, Exit.TIMEOUT, Exit.CONTEXT_FULL, Exit.LOST])
def test_an_attempt_that_ran_out_is_continued(outcome: Exit) -> None:
    world = ScriptedWorld(admitted(unit("a")), ends={"a.1": outcome})
    world.run()
    assert dispatches(world)[1].continues == "a.1"


def test_a_unit_fails_after_as_many_tries_as_the_limits_say() -> None:
    world = ScriptedWorld(
        admitted(unit("a"), unit("b", "a"), unit("c", "b")),
        ends={"a.1": Exit.STUCK, "a.2": Exit.NO_SUBMIT},
    )
    world.run()
    assert names(world) == ["a.1", "a.2"]
    assert world.statuses() == {"a": "failed", "b": "skipped", "c": "skipped"}
    assert world.state.units["a"].reason == "no_submit"
    assert world.state.units["c"].reason == "dependency_failed"
    assert world.state.outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize("outcome", [Exit.BLOCKED, Exit.REFUSED, Exit.MODEL_REJECTED, Exit.BUDGET])
def test_what_would_fail_again_is_not_tried_again(outcome: Exit) -> None:
    world = ScriptedWorld(admitted(unit("a")), ends={"a.1": outcome})
    world.run()
    assert names(world) == ["a.1"]
    assert world.state.units["a"].reason == outcome.value


@pytest.mark.parametrize("outcome", [Exit.INTERRUPTED, Exit.CANCELLED, Exit.ESCALATE])
def test_a_paused_attempt_goes_on_and_counts_no_failure(outcome: Exit) -> None:
    world = ScriptedWorld(
        admitted(unit("a"), limits=e.RunLimits(1000 * CENT, attempts=1)), ends={"a.1": outcome}
    )
    world.run()
    second = dispatches(world)[1]
    assert (second.continues, second.delay_s) == ("a.1", 0.0)
    assert world.state.outcome is Outcome.COMPLETED


def test_a_second_escalation_counts_as_a_failure() -> None:
    escalating = {f"a.{n}": Exit.ESCALATE for n in range(1, 9)}
    world = ScriptedWorld(admitted(unit("a")), ends=escalating)
    world.run()
    assert world.state.units["a"].reason == "escalate"
    assert names(world) == ["a.1", "a.2", "a.3"]


def test_waits_grow_with_each_failure() -> None:
    limits = e.RunLimits(1000 * CENT, attempts=8, backoff_s=2.0)
    world = ScriptedWorld(
        admitted(unit("a"), limits=limits),
        ends={f"a.{n}": (Exit.CRASHED, Exit.STUCK)[n % 2] for n in range(1, 8)},
    )
    world.run()
    assert [d.delay_s for d in dispatches(world)] == [0, 2, 4, 8, 16, 32, 60, 60]


def test_waits_stay_bounded_after_thousands_of_failures() -> None:
    run = admitted(unit("a"), limits=e.RunLimits(10**12, attempts=5000))
    state = evolve(RunState(), e.Recorded(1, START, run))
    state.units["a"] = replace(state.units["a"], failures=4000)
    assert wave_of(state)[0].delay_s == 60.0


def test_a_key_that_is_refused_ends_the_run_as_failed() -> None:
    world = ScriptedWorld(
        admitted(unit("a"), unit("b"), unit("c", "a")), ends={"b.1": Exit.MODEL_DENIED}
    )
    world.run()
    assert world.state.outcome is Outcome.FAILED
    assert world.state.failure == "model_denied"
    assert world.statuses() == {"a": "merged", "b": "failed", "c": "open"}


def test_a_run_that_failed_outside_goes_on_when_resumed() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b", "a")), ends={"a.1": Exit.MODEL_DENIED})
    world.run()
    world.resume()
    assert world.run().outcome is Outcome.COMPLETED
    assert world.state.failure is None


def test_an_unavailable_model_is_tried_again_before_the_run_fails() -> None:
    ends = {"a.1": Exit.MODEL_UNAVAILABLE, "a.2": Exit.MODEL_UNAVAILABLE}
    world = ScriptedWorld(admitted(unit("a")), ends=ends)
    world.run()
    assert names(world) == ["a.1", "a.2"]
    assert world.state.failure == "model_unavailable"


def test_lost_attempts_are_counted_and_resumable() -> None:
    world = ScriptedWorld(admitted(unit("a")), ends={"a.1": Exit.LOST, "a.2": Exit.LOST})
    world.run()
    assert world.state.units["a"].reason == "lost"
    world.resume()
    assert world.run().outcome is Outcome.COMPLETED


def test_attempts_in_flight_are_taken_up_before_anything_else() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b")))
    step = next_dispatch(world)
    world.append(*step.attempts)
    assert decide(world.state) == Dispatch(step.attempts, fresh=False)


def test_a_wave_recorded_in_part_is_made_whole_before_it_lands() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b")))
    step = next_dispatch(world)
    world.append(step.attempts[0])
    assert decide(world.state) == Dispatch(step.attempts[1:], fresh=True)


def next_dispatch(world: ScriptedWorld) -> Dispatch:
    while not isinstance(step := decide(world.state), Dispatch):
        world.perform(step)
    return step


THREE = e.RunOptions(candidates=3)


def test_candidates_are_picked_by_the_arbiter_and_one_carries_the_unit() -> None:
    world = ScriptedWorld(admitted(unit("a"), options=THREE), picks={"a.4": "a.2"})
    world.run()
    sent = dispatches(world)
    assert [d.purpose for d in sent] == [*[Purpose.CANDIDATE] * 3, Purpose.PICK]
    assert sent[3].role == "arbiter"
    assert [a.attempt for a in world.state.applied] == ["a.2"]


def test_a_single_candidate_that_submitted_needs_no_arbiter() -> None:
    ends = {"a.1": Exit.STUCK, "a.3": Exit.LOST}
    world = ScriptedWorld(admitted(unit("a"), options=THREE), ends=ends)
    world.run()
    assert names(world) == ["a.1", "a.2", "a.3"]
    assert [a.attempt for a in world.state.applied] == ["a.2"]


@pytest.mark.parametrize("outcome", [Exit.STUCK, Exit.MODEL_DENIED, Exit.LOST])
def test_without_a_choice_the_first_candidate_is_taken(outcome: Exit) -> None:
    ends = {"a.1": Exit.STUCK, "a.4": outcome}
    world = ScriptedWorld(admitted(unit("a"), options=THREE), ends=ends)
    world.run()
    assert [a.attempt for a in world.state.applied] == ["a.2"]


def test_an_interrupted_choice_is_made_again() -> None:
    world = ScriptedWorld(
        admitted(unit("a"), options=THREE), ends={"a.4": Exit.INTERRUPTED}, picks={"a.5": "a.3"}
    )
    world.run()
    assert [a.attempt for a in world.state.applied] == ["a.3"]


def test_a_choice_that_cannot_be_paid_takes_the_first_candidate() -> None:
    limits = e.RunLimits(cap=200 * CENT, slice=100 * CENT)
    world = ScriptedWorld(
        admitted(unit("a"), options=e.RunOptions(candidates=2), limits=limits),
        costs={"a.1": 100 * CENT, "a.2": 99 * CENT},
    )
    world.run()
    assert names(world) == ["a.1", "a.2"]
    assert [a.attempt for a in world.state.applied] == ["a.1"]
    assert world.state.outcome is Outcome.COMPLETED


def test_a_second_round_of_candidates_forgets_the_first() -> None:
    world = ScriptedWorld(
        admitted(unit("a"), unit("g", "a", kind="gate"), options=e.RunOptions(candidates=2)),
        picks={"a.3": "a.1", "a.6": "a.1"},
        denied={"g": 1},
    )
    world.run()
    assert [a.attempt for a in world.state.applied] == ["a.4"]
