"""Cancel, resume, and logs that say things twice, too early or about somebody else."""

from __future__ import annotations

import pytest

from fanfold.errors import InvalidStream
from fanfold.run import events as e
from fanfold.run.attempt import Exit, Purpose
from fanfold.run.decide import decide, done_units
from fanfold.run.evolve import evolve, fold
from fanfold.run.state import Outcome, RunState
from fanfold.run.steps import Admit, Dispatch, Ended, Finish, Merge, Verify, WriteBack
from tests.fakes.scripted_world import CENT, ScriptedWorld, admitted, unit
from tests.fakes.world import START


def until(world: ScriptedWorld, kind: type[Dispatch | Merge | Verify]) -> None:
    """Play up to the first step of `kind` that is not the measurement of the base."""
    while not isinstance(step := decide(world.state), kind) or getattr(step, "baseline", False):
        world.perform(step)


def test_a_run_starts_with_its_admission() -> None:
    assert decide(RunState()) == Admit()


def test_a_rejected_request_has_ended() -> None:
    state = evolve(RunState(), e.Recorded(1, START, e.RunRejected("nothing to do")))
    assert (decide(state), state.rejected) == (Ended(Outcome.FAILED), "nothing to do")


def test_a_run_without_units_is_complete() -> None:
    assert ScriptedWorld(admitted()).run().outcome is Outcome.COMPLETED


def test_cancel_waits_for_what_is_in_flight_and_starts_nothing() -> None:
    world = ScriptedWorld(
        admitted(unit("a"), unit("b", "a")), ends={"a.1": Exit.CANCELLED}, people=False
    )
    until(world, Dispatch)
    step = decide(world.state)
    assert isinstance(step, Dispatch)
    world.append(*step.attempts)
    world.say(e.CancelRequested())
    assert decide(world.state) == Dispatch(step.attempts, fresh=False)
    world.run()
    assert world.state.outcome is Outcome.CANCELLED
    assert world.statuses() == {"a": "open", "b": "open"}


def test_a_cancelled_run_keeps_only_what_is_verified() -> None:
    run = admitted(unit("a"), unit("z", "a", kind="bookkeeping"), unit("b", "a"))
    world = ScriptedWorld(run, people=False)
    while world.state.tree != "base+a.1+b.1":
        world.perform(decide(world.state))
    world.say(e.CancelRequested())
    assert decide(world.state) == WriteBack("base+a.1")
    assert done_units(world.state) == ("a", "z")
    world.run()
    assert world.state.verified
    world.resume()
    world.run()
    assert world.state.outcome is Outcome.COMPLETED
    assert world.state.kept_tree == "base+a.1+b.1"


def test_a_cancelled_run_goes_on_with_the_patch_it_had() -> None:
    world = ScriptedWorld(admitted(unit("a")), people=False)
    until(world, Merge)
    world.say(e.CancelRequested())
    world.run()
    assert (world.state.outcome, world.statuses()) == (Outcome.CANCELLED, {"a": "patched"})
    world.resume()
    world.run()
    assert [a.attempt for a in world.state.applied] == ["a.1"]


def test_a_resumed_run_that_was_complete_is_complete_again() -> None:
    world = ScriptedWorld(admitted(unit("a")))
    world.run()
    world.resume()
    assert decide(world.state) == Finish(Outcome.COMPLETED)


def test_a_resume_reopens_nothing_that_failed_by_itself() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b", "a")), ends={"a.1": Exit.BLOCKED})
    world.run()
    world.resume()
    assert world.statuses() == {"a": "failed", "b": "skipped"}


def test_an_event_that_was_folded_changes_nothing_again() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b")), guilty={"b.1"})
    world.run()
    world.say(e.CancelRequested())
    world.resume()
    assert fold(world.log, world.state) == world.state
    assert not world.state.cancelled


@pytest.mark.parametrize(
    "late",
    [
        e.RunRequested("other", "other.md", "1", "other"),
        admitted(unit("q")),
        e.RunResumed(1),
        e.AttemptFinished("a.1", "a", Exit.SUBMITTED, 99),
        e.PatchRejected("a.1", "a", "path_escape"),
        e.ConflictFound("a.1", "a", ("f",), "base"),
        e.MergeCompleted(1, "base", "base+a.1", (e.Applied("a.1", "a", "base+a.1"),)),
        e.VerificationFailed(1, "base", (), baseline=True),
        e.PatchBlamed(2, "a.1", "a", "base", ()),
        e.ApprovalRequested("g", "base", "base"),
        e.ApprovalGranted("g"),
        e.ApprovalDenied("g", "no"),
        e.BudgetExhausted(0, 0, ("a",)),
    ],
)
def test_an_event_that_comes_late_changes_nothing(late: e.EventData) -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("g", "a", kind="gate")))
    world.run()
    assert changed_by(world.state, late) == ()


@pytest.mark.parametrize(
    "foreign",
    [
        e.AttemptDispatched("q.1", "q", 1, "docs", Purpose.WORK, "local", 1, "base", 1),
        e.AttemptFinished("q.1", "q", Exit.SUBMITTED, 1),
        e.PatchRejected("q.1", "q", "path_escape"),
        e.ConflictFound("q.1", "q", ("f",), "base"),
        e.PatchBlamed(1, "q.1", "q", "base", ()),
        e.ApprovalRequested("q", "base", "base"),
        e.ApprovalGranted("q"),
        e.ApprovalDenied("q", "no"),
        e.BudgetExhausted(0, 0, ("q",)),
        e.AttemptEnded(Exit.STUCK, 5),
    ],
)
def test_what_names_an_unknown_unit_is_not_this_runs_business(foreign: e.EventData) -> None:
    world = ScriptedWorld(admitted(unit("a")))
    until(world, Dispatch)
    assert changed_by(world.state, foreign) == ()


def test_what_comes_before_admission_is_ignored() -> None:
    state = evolve(RunState(), e.Recorded(1, START, e.ApprovalGranted("a")))
    state = evolve(state, e.Recorded(2, START, e.MergeCompleted(1, "", "tree", ())))
    assert state.tree == ""


def changed_by(state: RunState, data: e.EventData) -> tuple[str, ...]:
    after = evolve(state, e.Recorded(state.version + 1, START, data))
    fields = set(RunState.__struct_fields__) - {"version", "updated_at", "merges", "verifications"}
    return tuple(f for f in fields if getattr(after, f) != getattr(state, f))


@pytest.mark.parametrize(
    ("units", "problem"),
    [((unit("a", "nobody"),), "nobody"), ((unit("a"), unit("a")), "same id")],
)
def test_a_graph_that_cannot_be_one_is_an_error(
    units: tuple[e.UnitSpec, ...], problem: str
) -> None:
    with pytest.raises(InvalidStream, match=problem):
        fold([e.Recorded(1, START, admitted(*units))])


def test_a_cycle_ends_incomplete() -> None:
    world = ScriptedWorld(admitted(unit("a", "b"), unit("b", "a")))
    assert world.run().outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize("outcome", [Exit.LOST, Exit.INTERRUPTED, Exit.ESCALATE])
def test_what_was_cut_short_comes_back_before_its_wave_is_merged(outcome: Exit) -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b"), unit("c")), ends={"b.1": outcome})
    world.run()
    assert world.state.units["b"].tries[1].dispatched.base_tree == "base"
    assert [a.attempt for a in world.state.applied] == ["a.1", "b.2", "c.1"]
    assert world.state.merges == 1


def test_a_refused_key_is_said_before_anything_is_started_again() -> None:
    ends = {"a.1": Exit.LOST, "b.1": Exit.MODEL_DENIED}
    world = ScriptedWorld(admitted(unit("a"), unit("b")), ends=ends)
    world.run()
    assert world.state.outcome is Outcome.FAILED
    assert len(world.state.units["a"].tries) == 1


def test_a_retry_wave_recorded_in_part_is_made_whole_with_retries_only() -> None:
    ends = {"a.1": Exit.LOST, "b.1": Exit.STUCK, "c.1": Exit.LOST}
    world = ScriptedWorld(admitted(unit("a"), unit("b"), unit("c")), ends=ends, people=False)
    while not world.state.landing or world.state.units["b"].in_flight:
        world.perform(decide(world.state))
    step = decide(world.state)
    assert isinstance(step, Dispatch)
    assert [d.attempt for d in step.attempts] == ["a.2", "c.2"]
    world.append(step.attempts[0])
    assert decide(world.state) == Dispatch(step.attempts[1:], fresh=True)


def test_a_handover_changes_the_generation_and_nothing_else() -> None:
    limits = e.RunLimits(1000 * CENT, 100 * CENT, attempts=1)
    world = ScriptedWorld(admitted(unit("a"), limits=limits), ends={"a.1": Exit.LOST})
    world.run()
    world.say(e.CancelRequested())
    assert changed_by(world.state, e.RunResumed(2, handover=True)) == ("generation",)
