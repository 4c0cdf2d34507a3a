"""Gates: a person decides, and nothing gets past them without that."""

from __future__ import annotations

from fanfold.run import events as e
from fanfold.run.attempt import CheckResult, Exit
from fanfold.run.decide import decide, done_units
from fanfold.run.state import Outcome
from fanfold.run.steps import Ask, Dispatch, Verify, WriteBack
from tests.fakes.scripted_world import ScriptedWorld, admitted, unit

DEFER = e.RunOptions(gates="defer")


def phases(options: e.RunOptions | None = None) -> e.RunAdmitted:
    """Two phases of one task, each with its gate; `x` belongs to neither."""
    return admitted(
        unit("a"),
        unit("g", "a", kind="gate"),
        unit("h", "g"),
        unit("i", "h", kind="gate"),
        unit("x"),
        options=options,
    )


def sent(world: ScriptedWorld) -> list[str]:
    return [r.data.attempt for r in world.log if isinstance(r.data, e.AttemptDispatched)]


def test_a_run_waits_at_a_gate_when_nothing_else_can_go_on() -> None:
    world = ScriptedWorld(phases(), people=False)
    world.run()
    assert sent(world) == ["a.1", "x.1"]
    assert world.taken[-1] == Ask(("g",), waiting=True)
    assert world.state.outcome is None


def test_what_is_done_is_written_back_before_the_run_waits() -> None:
    world = ScriptedWorld(phases(), people=False)
    world.run()
    assert world.taken[-3:-1] == [WriteBack("base+a.1+x.1"), Ask(("g",), waiting=False)]
    assert world.state.written is not None
    assert world.state.written.done == ("a", "x")


def test_a_granted_gate_opens_what_lies_behind_it() -> None:
    world = ScriptedWorld(phases(), people=False)
    world.run()
    world.say(e.ApprovalGranted("g", "somebody"))
    world.run()
    assert sent(world) == ["a.1", "x.1", "h.1"]
    assert world.state.gates["g"].state == "approved"
    world.say(e.ApprovalGranted("i"))
    assert world.run().outcome is Outcome.COMPLETED


def test_a_word_nobody_asked_for_passes_no_gate() -> None:
    world = ScriptedWorld(phases(), people=False)
    while not isinstance(step := decide(world.state), Dispatch):
        world.perform(step)
    world.say(e.ApprovalGranted("g"))
    world.say(e.ApprovalGranted("a"))
    world.run()
    assert world.taken[-1] == Ask(("g",), waiting=True)


def test_a_reject_restores_the_start_of_the_phase_and_reopens_its_units() -> None:
    world = ScriptedWorld(phases(), people=False)
    world.run()
    world.say(e.ApprovalDenied("g", "wrong colour"))
    assert world.state.tree == "base"
    assert world.statuses() == {"a": "open", "g": "open", "h": "open", "i": "open", "x": "patched"}
    world.run()
    again = world.state.units["a"].tries[1].dispatched
    assert (again.hint, again.base_tree) == ("wrong colour", "base+x.1")
    assert world.state.tree == "base+x.1+a.2"
    assert world.taken[-1] == Ask(("g",), waiting=True)


def test_a_reject_takes_back_its_own_phase_only_with_checks_or_without() -> None:
    for checks in (True, False):
        world = ScriptedWorld(
            admitted(*phases().units, checks=checks), people=False, denied={"g": 0}
        )
        world.run()
        world.say(e.ApprovalGranted("g"))
        world.run()
        assert world.state.tree == "base+a.1+x.1+h.1"
        world.say(e.ApprovalDenied("i", "no"))
        assert world.state.tree == "base+a.1+x.1"
        assert world.statuses() == {
            "a": "merged",
            "g": "done",
            "h": "open",
            "i": "open",
            "x": "merged",
        }


def test_the_words_of_a_reject_survive_a_failed_try() -> None:
    world = ScriptedWorld(phases(), people=False, ends={"a.2": Exit.STUCK, "a.3": Exit.INTERRUPTED})
    world.run()
    world.say(e.ApprovalDenied("g", "wrong colour"))
    world.run()
    hints = [t.dispatched.hint for t in world.state.units["a"].tries]
    assert hints == ["", "wrong colour", "wrong colour\nstuck", "wrong colour\nstuck"]


def test_a_reject_takes_back_what_was_written_back() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("g", "a", kind="gate")), people=False)
    world.run()
    world.say(e.ApprovalDenied("g", "no"))
    world.say(e.CancelRequested())
    assert decide(world.state) == WriteBack("base")
    assert done_units(world.state) == ()
    assert world.run().outcome is Outcome.CANCELLED


def test_a_deferred_gate_stops_nobody_and_the_run_waits_at_the_end() -> None:
    world = ScriptedWorld(phases(DEFER), people=False)
    world.run()
    assert sent(world) == ["a.1", "x.1", "h.1"]
    assert world.taken[-1] == Ask(("g", "i"), waiting=True)


def test_a_deferred_reject_takes_back_what_was_built_behind_the_gate() -> None:
    world = ScriptedWorld(phases(DEFER), people=False)
    world.run()
    world.say(e.ApprovalDenied("g", "no"))
    assert world.state.tree == "base"
    world.run()
    assert sent(world) == ["a.1", "x.1", "h.1", "a.2", "h.2"]
    assert world.state.tree == "base+x.1+a.2+h.2"


def test_an_attempt_in_flight_behind_a_rejected_gate_is_made_anew() -> None:
    world = ScriptedWorld(phases(DEFER), people=False)
    while not isinstance(step := decide(world.state), Dispatch) or step.attempts[0].unit != "h":
        world.perform(step)
    world.append(*step.attempts)
    world.say(e.ApprovalDenied("g", "no"))
    assert world.state.units["h"].revoked
    world.run()
    assert world.statuses()["h"] == "merged"
    assert world.state.units["h"].carrier == "h.2"
    assert world.state.tree == "base+x.1+a.2+h.2"


def test_an_attempt_recorded_after_its_gate_was_rejected_is_made_anew() -> None:
    world = ScriptedWorld(phases(DEFER), people=False)
    while not isinstance(step := decide(world.state), Dispatch) or step.attempts[0].unit != "h":
        world.perform(step)
    world.say(e.ApprovalDenied("g", "no"))
    world.append(*step.attempts)
    assert world.state.units["h"].revoked
    world.run()
    assert world.state.units["h"].carrier == "h.2"


def test_a_reject_between_merge_and_verification_keeps_the_unverified_out() -> None:
    world = ScriptedWorld(phases(DEFER), people=False, guilty={"h.1"})
    while world.state.tree != "base+a.1+x.1+h.1":
        world.perform(decide(world.state))
    world.say(e.ApprovalDenied("g", "no"))
    assert world.state.tree == "base"
    assert world.state.kept == ()


def test_checks_of_a_tree_that_was_taken_back_meanwhile_vouch_for_nothing() -> None:
    world = ScriptedWorld(phases(DEFER), people=False)
    while world.state.tree != "base+a.1+x.1+h.1":
        world.perform(decide(world.state))
    step = decide(world.state)
    assert isinstance(step, Verify)
    world.say(e.ApprovalDenied("g", "no"))
    world.say(e.VerificationPassed(step.seq, step.tree, (CheckResult("test", ok=True),)))
    assert [c.tree for c in world.state.checkpoints] == ["base"]
    assert not world.state.verified
    world.run()
    assert world.state.verified


def test_a_blame_that_a_reject_overtook_takes_nothing_out() -> None:
    world = ScriptedWorld(phases(DEFER), people=False)
    while world.state.tree != "base+a.1+x.1+h.1":
        world.perform(decide(world.state))
    red = (CheckResult("test", ok=False),)
    world.say(e.VerificationFailed(3, world.state.tree, red))
    world.say(e.ApprovalDenied("g", "no"))
    world.say(e.PatchBlamed(3, "h.1", "h", "base+a.1+x.1", red))
    assert world.state.tree == "base"
    assert not world.state.units["h"].repaired


def test_a_lost_unit_skips_the_gate_of_its_phase() -> None:
    world = ScriptedWorld(phases(), people=False, rejected={"a.1"})
    world.run()
    assert world.statuses() == {
        "a": "rejected",
        "g": "skipped",
        "h": "skipped",
        "i": "skipped",
        "x": "merged",
    }
    assert world.state.outcome is Outcome.INCOMPLETE
