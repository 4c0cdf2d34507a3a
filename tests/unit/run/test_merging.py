"""What becomes of patches: applied, conflicted, rejected, or taken back for a guilty one."""

from __future__ import annotations

from fanfold.run import events as e
from fanfold.run.attempt import Exit, Purpose
from fanfold.run.decide import decide
from fanfold.run.state import Outcome
from fanfold.run.steps import Merge, Verify
from tests.fakes.scripted_world import CENT, ScriptedWorld, admitted, unit
from tests.fakes.soundness import assert_no_patch_vanished


def purposes(world: ScriptedWorld) -> dict[str, Purpose]:
    sent = [r.data for r in world.log if isinstance(r.data, e.AttemptDispatched)]
    return {d.attempt: d.purpose for d in sent}


def applied(world: ScriptedWorld) -> list[str]:
    return [a.attempt for a in world.state.applied]


def verifications(world: ScriptedWorld) -> list[Verify]:
    return [s for s in world.taken if isinstance(s, Verify)]


def test_patches_of_a_wave_are_folded_in_plan_order() -> None:
    world = ScriptedWorld(admitted(unit("c"), unit("a"), unit("b")))
    world.run()
    assert applied(world) == ["a.1", "b.1", "c.1"]


def test_a_patch_that_the_gate_refuses_is_rejected_with_its_reason() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b", "a"), unit("c")), rejected={"a.1"})
    world.run()
    assert world.statuses() == {"a": "rejected", "b": "skipped", "c": "merged"}
    assert world.state.units["a"].reason == "path_escape"


def test_a_conflict_is_resolved_by_the_arbiter_on_top_of_the_other_patch() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b")), conflicting={("a.1", "b.1")})
    world.run()
    resolve = world.state.units["b"].tries[1].dispatched
    assert (resolve.purpose, resolve.role) == (Purpose.RESOLVE, "arbiter")
    assert (resolve.continues, resolve.base_tree) == ("b.1", "base+a.1")
    assert applied(world) == ["a.1", "b.2"]
    assert world.state.outcome is Outcome.COMPLETED


def test_a_conflict_that_nobody_resolves_stays_a_conflict() -> None:
    world = ScriptedWorld(
        admitted(unit("a"), unit("b"), unit("c", "b")),
        conflicting={("a.1", "b.1")},
        ends={"b.2": Exit.STUCK, "b.3": Exit.NO_SUBMIT},
    )
    world.run()
    assert world.statuses() == {"a": "merged", "b": "conflicted", "c": "skipped"}
    assert world.state.units["b"].reason == "conflict"
    assert world.state.units["b"].tries[2].dispatched.continues == "b.1"


def test_a_conflict_that_could_not_be_paid_is_resolved_after_a_raise() -> None:
    limits = e.RunLimits(cap=200 * CENT, slice=100 * CENT)
    world = ScriptedWorld(
        admitted(unit("a"), unit("b"), limits=limits),
        conflicting={("a.1", "b.1")},
        costs={"a.1": 100 * CENT, "b.1": 100 * CENT},
    )
    world.run()
    assert world.state.units["b"].reason == "budget"
    world.resume(cap=400 * CENT)
    world.run()
    assert purposes(world)["b.2"] is Purpose.RESOLVE
    assert applied(world) == ["a.1", "b.2"]


def test_resolutions_of_the_same_paths_go_one_by_one() -> None:
    all_pairs = {("a.1", "b.1"), ("a.1", "c.1"), ("b.1", "c.1"), ("b.2", "c.1"), ("b.2", "c.2")}
    world = ScriptedWorld(admitted(unit("a"), unit("b"), unit("c")), conflicting=all_pairs)
    world.paths = {"b.1": ("f",), "c.1": ("f", "g")}
    world.run()
    assert applied(world) == ["a.1", "b.2", "c.2"]
    assert world.state.units["c"].tries[1].dispatched.base_tree == "base+a.1+b.2"


def test_a_resolution_that_others_overtook_is_made_again_as_often_as_a_unit_is_tried() -> None:
    overtaken = {("a.1", "b.1"), ("a.1", "c.1"), ("b.2", "c.2")}
    once = ScriptedWorld(admitted(unit("a"), unit("b"), unit("c")), conflicting=overtaken)
    once.paths = {"b.1": ("f",), "c.1": ("g",)}
    once.run()
    assert applied(once) == ["a.1", "b.2", "c.3"]
    limits = e.RunLimits(1000 * CENT, attempts=1)
    never = ScriptedWorld(
        admitted(unit("a"), unit("b"), unit("c"), limits=limits), conflicting=overtaken
    )
    never.paths = once.paths
    never.run()
    assert never.statuses()["c"] == "conflicted"
    assert list(purposes(never)) == ["a.1", "b.1", "c.1", "b.2", "c.2"]


def test_what_is_red_on_the_base_is_measured_first_and_never_blamed() -> None:
    world = ScriptedWorld(admitted(unit("a")), base_red=True)
    world.run()
    assert verifications(world)[0] == Verify(1, "base", good_tree="base", baseline=True)
    assert world.state.outcome is Outcome.COMPLETED
    assert not world.state.verified


def test_a_run_without_checks_is_unverified() -> None:
    world = ScriptedWorld(admitted(unit("a"), checks=False))
    world.run()
    assert world.state.outcome is Outcome.COMPLETED
    assert not verifications(world)
    assert not world.state.verified


def test_a_guilty_patch_is_taken_out_repaired_once_and_merged() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b"), unit("c")), guilty={"b.1"})
    world.run()
    repair = world.state.units["b"].tries[1].dispatched
    assert (repair.purpose, repair.continues) == (Purpose.REPAIR, "b.1")
    assert repair.base_tree == "base+a.1+c.1"
    assert applied(world) == ["a.1", "c.1", "b.2"]
    assert world.state.verified


def test_a_repair_that_is_guilty_too_is_rejected() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b"), unit("c", "b")), guilty={"b.1", "b.2"})
    world.run()
    assert world.statuses() == {"a": "merged", "b": "rejected", "c": "skipped"}
    assert world.state.units["b"].reason == "check_failed"
    assert applied(world) == ["a.1"]


def test_a_repair_that_nobody_could_make_is_rejected() -> None:
    world = ScriptedWorld(
        admitted(unit("a")), guilty={"a.1"}, ends={"a.2": Exit.STUCK, "a.3": Exit.STUCK}
    )
    world.run()
    assert world.state.units["a"].reason == "check_failed"
    assert world.state.units["a"].tries[2].dispatched.continues == "a.1"


def test_of_two_patches_that_break_each_other_the_later_is_blamed() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b")), guilty={("a.1", "b.1")})
    world.run()
    assert purposes(world)["b.2"] is Purpose.REPAIR
    assert world.state.outcome is Outcome.COMPLETED


def test_what_was_built_on_a_guilty_patch_starts_anew() -> None:
    world = ScriptedWorld(
        admitted(unit("a"), unit("b", "a"), unit("c")), guilty={("a.1", "b.1"), "a.1"}
    )
    world.run()
    assert applied(world) == ["c.1", "a.2", "b.1"]


def test_the_results_of_a_run_are_those_of_its_own_tree() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("b")), guilty={"b.1", "b.2"})
    world.run()
    assert world.state.results_tree == world.state.tree == "base+a.1"
    assert world.state.verified


def test_red_that_nobody_can_be_blamed_for_is_verified_three_times_and_said() -> None:
    world = ScriptedWorld(
        admitted(unit("a"), unit("k", "a", kind="check")), guilty={"a.1"}, unclear=True
    )
    world.run()
    assert len(world.told(e.VerificationFailed)) == 3
    assert not world.state.verified
    assert world.statuses() == {"a": "merged", "k": "failed"}
    assert world.state.units["k"].reason == "check_failed"


def test_a_check_task_waits_for_the_checks() -> None:
    world = ScriptedWorld(admitted(unit("k", kind="check")))
    while not isinstance(step := decide(world.state), Verify):
        world.perform(step)
    assert world.statuses() == {"k": "open"}
    world.perform(step)
    assert world.statuses() == {"k": "done"}


def test_bookkeeping_is_not_done_for_what_is_not_verified() -> None:
    world = ScriptedWorld(admitted(unit("a"), unit("z", "a", kind="bookkeeping")))
    while not isinstance(step := decide(world.state), Verify) or step.baseline:
        world.perform(step)
    assert world.statuses() == {"a": "merged", "z": "open"}
    world.perform(step)
    assert world.statuses() == {"a": "merged", "z": "done"}


def test_a_merge_that_a_person_overtook_is_made_again() -> None:
    options = e.RunOptions(gates="defer")
    world = ScriptedWorld(
        admitted(unit("a"), unit("g", "a", kind="gate"), unit("x"), unit("y", "x"), options=options)
    )
    while not isinstance(step := decide(world.state), Merge) or step.seq < 2:
        world.perform(step)
    world.say(e.ApprovalDenied("g", "no"))
    stale = e.MergeCompleted(2, step.base_tree, "stale", (e.Applied("y.1", "y", "stale"),))
    world.say(stale)
    assert world.state.tree == "base"
    assert decide(world.state) == Merge(3, "base", ("x.1",))
    assert world.run().outcome is Outcome.COMPLETED
    assert_no_patch_vanished(world.state, world.log)


def test_back_on_the_base_the_results_are_those_of_the_base() -> None:
    world = ScriptedWorld(admitted(unit("a")), guilty={"a.1", "a.2"})
    world.run()
    assert world.state.results_tree == world.state.tree == "base"
    assert world.state.results == world.state.baseline
