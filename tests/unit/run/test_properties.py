"""What holds in every reachable state, and in states that no run of ours can reach."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.run import events as e
from fanfold.run.attempt import CheckResult, Exit, Purpose
from fanfold.run.decide import decide
from fanfold.run.evolve import evolve, fold
from fanfold.run.state import Outcome, RunState
from fanfold.run.steps import Step
from tests.fakes.soundness import assert_no_patch_vanished, assert_settled
from tests.fakes.world import CALM, Odds, World, small_graph

SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=50, deadline=None, derandomize=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def played(seed: object, schedule: object = None, odds: Odds = CALM) -> World:
    world = World(small_graph(seed), seed=seed, schedule=schedule, odds=odds)
    world.run()
    return world


def result(state: RunState) -> object:
    """All that a run comes to; not when, nor in how many steps."""
    units = {n: (u.status, u.reason, u.carrier) for n, u in state.units.items()}
    return state.tree, units, state.spent, state.outcome, state.verified, state.kept


@FEW
@given(SEEDS)
def test_one_step_follows_from_every_state(seed: int) -> None:
    world = World(small_graph(seed), seed=seed, odds=Odds())
    world.run()
    for position in range(len(world.log)):
        state = fold(world.log[:position])
        before = msgspec.json.encode(state)
        assert isinstance(decide(state), Step)
        assert decide(state) == decide(fold(world.log[:position]))
        assert msgspec.json.encode(state) == before


@FEW
@given(SEEDS)
def test_a_fold_is_the_same_as_one_event_after_another(seed: int) -> None:
    world = played(seed, odds=Odds())
    state = RunState()
    for event in world.log:
        before = copy.deepcopy(state)
        after = evolve(state, event)
        assert state == before
        state = after
    assert state == fold(world.log) == fold(world.log, fold(world.log[: len(world.log) // 2]))


@FEW
@given(SEEDS, st.lists(SEEDS, min_size=2, max_size=4))
def test_the_order_in_which_attempts_end_changes_nothing(seed: int, schedules: list[int]) -> None:
    first, *others = [played(seed, schedule) for schedule in schedules]
    for other in others:
        assert result(other.state) == result(first.state)
        assert [type(s) for s in other.taken] == [type(s) for s in first.taken]


@FEW
@given(SEEDS, SEEDS)
def test_crashes_and_repeats_change_nothing(seed: int, schedule: int) -> None:
    rough = msgspec.structs.replace(CALM, nobody_to_blame=0.0, crash=0.03, repeat=0.1)
    calm = msgspec.structs.replace(CALM, nobody_to_blame=0.0)
    disturbed = played(seed, schedule, rough)
    assert result(disturbed.state) == result(played(seed, odds=calm).state)


@FEW
@given(SEEDS)
def test_a_cut_log_leads_to_the_same_end(seed: int) -> None:
    calm = msgspec.structs.replace(CALM, nobody_to_blame=0.0, deny=0.0)
    whole = played(seed, odds=calm)
    for length in range(1, len(whole.log)):
        words = [type(r.data) for r in whole.log[length - 1 : length + 1]]
        if words == [e.ApprovalGranted] * 2:
            continue
        again = World(whole.admitted, seed=seed, odds=calm)
        again.log = whole.log[:length]
        again.state = fold(again.log)
        again.run()
        assert result(again.state) == result(whole.state), length


@FEW
@given(SEEDS)
def test_no_patch_vanishes_and_nothing_is_left_open(seed: int) -> None:
    world = played(seed, odds=Odds(cancel=0.0))
    assert_no_patch_vanished(world.state, world.log)
    if world.state.outcome is not Outcome.FAILED:
        assert_settled(world.state)


@FEW
@given(SEEDS)
def test_a_run_that_stopped_goes_on_when_resumed(seed: int) -> None:
    odds = Odds(cancel=0.1, trouble=0.0, reject=0.0, conflict=0.0, guilty=0.0, guilty_pair=0.0)
    world = played(seed, odds=msgspec.structs.replace(odds, nobody_to_blame=0.0))
    world.odds = msgspec.structs.replace(world.odds, cancel=0.0)
    world.resume(cap=10**9)
    assert world.run().outcome is Outcome.COMPLETED


NAMES = st.sampled_from(["a", "b", "c", "g", "foreign"])
ATTEMPTS = st.sampled_from(["a.1", "a.2", "b.1", "c.1", "foreign.1"])
TREES = st.sampled_from(["base", "t1", "t2"])
SMALL = st.integers(0, 3)
CHECKS = st.sampled_from([(), (CheckResult("test", True),), (CheckResult("test", False),)])
APPLIED = st.lists(st.builds(e.Applied, ATTEMPTS, NAMES, TREES), max_size=2).map(tuple)
ADMITTED = e.RunAdmitted(
    "base",
    (
        e.UnitSpec("a", ("a",)),
        e.UnitSpec("b", ("b",), ("a",), order=1),
        e.UnitSpec("g", ("g",), ("b",), "gate", order=2, covers=("a", "b")),
        e.UnitSpec("c", ("c",), ("g",), order=3),
    ),
    (),
    e.RunLimits(5_000_000),
    (e.CheckSpec("test"),),
)
DISPATCHED = st.builds(
    e.AttemptDispatched,
    attempt=ATTEMPTS,
    unit=NAMES,
    number=SMALL,
    role=st.just("implementer"),
    purpose=st.sampled_from(Purpose),
    placement=st.just("local"),
    slice=st.just(1_000_000),
    base_tree=TREES,
    generation=st.just(1),
)
ANY_EVENT: st.SearchStrategy[e.EventData] = st.one_of(
    st.just(ADMITTED),
    DISPATCHED,
    st.builds(e.AttemptFinished, ATTEMPTS, NAMES, st.sampled_from(Exit), st.just(10)),
    st.builds(e.PatchRejected, ATTEMPTS, NAMES, st.just("path_escape")),
    st.builds(e.ConflictFound, ATTEMPTS, NAMES, st.just(("f",)), TREES),
    st.builds(e.MergeCompleted, SMALL, TREES, TREES, APPLIED),
    st.builds(e.VerificationPassed, SMALL, TREES, CHECKS, st.booleans()),
    st.builds(e.VerificationFailed, SMALL, TREES, CHECKS, st.booleans()),
    st.builds(e.PatchBlamed, SMALL, ATTEMPTS, NAMES, TREES, CHECKS),
    st.builds(e.ApprovalRequested, NAMES, TREES, TREES),
    st.builds(e.ApprovalGranted, NAMES),
    st.builds(e.ApprovalDenied, NAMES, st.just("no")),
    st.builds(e.BudgetExhausted, SMALL, SMALL, st.lists(NAMES, max_size=2).map(tuple)),
    st.builds(e.RunResumed, SMALL, st.none()),
    st.just(e.CancelRequested()),
    st.just(e.RunQueued("busy")),
    st.just(e.RunRejected("no")),
    st.just(e.RunCompleted(verified=True)),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(ANY_EVENT, max_size=25), st.booleans())
def test_no_order_of_events_is_too_strange_to_fold(
    events: list[e.EventData], admitted_first: bool
) -> None:
    events = [ADMITTED, *events] if admitted_first else events
    state = RunState()
    for version, data in enumerate(events, 1):
        state = evolve(state, e.Recorded(version, NOW, data))
        assert isinstance(decide(state), Step)


def test_the_worlds_reach_every_step() -> None:
    steps = {type(s) for seed in range(150) for s in played(seed, odds=Odds()).taken}
    assert steps == set(get_args(Step))
