"""Amounts, slices, and a cap that holds."""

from __future__ import annotations

import pytest

from fanfold.run import events as e
from fanfold.run.attempt import Exit, Purpose
from fanfold.run.decide import decide
from fanfold.run.money import dollars, from_dollars, slice_for
from fanfold.run.state import Outcome
from fanfold.run.steps import Dispatch, Exhaust
from tests.fakes.scripted_world import CENT, ScriptedWorld, admitted, unit

DOLLAR = 100 * CENT


@pytest.mark.parametrize(
    ("available", "wanted", "share"),
    [
        (400, 100, 100),
        (100, 100, 100),
        (99, 100, 99),
        (25, 100, 25),
        (24, 100, 0),
        (0, 100, 0),
        (-5, 100, 0),
        (1, 4, 1),
        (1, 5, 0),
    ],
)
def test_a_slice_is_whole_or_at_least_a_quarter(available: int, wanted: int, share: int) -> None:
    assert slice_for(available, wanted) == share


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0.00"),
        (1, "0.000001"),
        (10_000, "0.01"),
        (12_300, "0.0123"),
        (1_500_000, "1.50"),
        (20_000_000, "20.00"),
        (-1_500_000, "-1.50"),
        (123_456_789_000_001, "123456789.000001"),
    ],
)
def test_amounts_read_as_dollars(micros: int, text: str) -> None:
    assert dollars(micros) == text


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("5", 5_000_000),
        ("$1.50", 1_500_000),
        (" 0.000001 ", 1),
        ("0.0000005", 1),
        ("1e-2", 10_000),
        ("1000000000", 10**15),
    ],
)
def test_dollars_are_read_as_amounts(text: str, micros: int) -> None:
    assert from_dollars(text) == micros


@pytest.mark.parametrize(
    "text", ["", "five", "0", "-1", "nan", "inf", "1e999999", "0.0000001", "1,5", "1e10", "$"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"dollar|amount"):
        from_dollars(text)


def test_a_slice_is_reserved_and_settled_with_the_cost() -> None:
    world = ScriptedWorld(admitted(unit("a")), costs={"a.1": 7 * CENT})
    while not isinstance(step := decide(world.state), Dispatch):
        world.perform(step)
    world.append(*step.attempts)
    assert (world.state.reserved, world.state.spent) == (DOLLAR, 0)
    world.run()
    assert (world.state.reserved, world.state.spent) == (0, 7 * CENT)


def test_what_the_cap_cannot_hold_waits_for_what_the_wave_gives_back() -> None:
    limits = e.RunLimits(cap=230 * CENT, slice=DOLLAR)
    world = ScriptedWorld(admitted(unit("a"), unit("b"), unit("c"), limits=limits))
    world.run()
    waves = [s.attempts for s in world.taken if isinstance(s, Dispatch)]
    assert [[(d.unit, d.slice) for d in wave] for wave in waves] == [
        [("a", DOLLAR), ("b", DOLLAR)],
        [("c", DOLLAR)],
    ]


def test_the_last_money_goes_to_the_first_in_plan_order() -> None:
    limits = e.RunLimits(cap=60 * CENT, slice=DOLLAR)
    world = ScriptedWorld(admitted(unit("b"), unit("a"), limits=limits), costs={"a.1": 40 * CENT})
    world.run()
    first = world.state.units["a"].tries[0].dispatched
    assert first.slice == 60 * CENT
    assert world.state.units["b"].reason == "budget"


def test_a_wave_has_no_more_attempts_than_it_has_room() -> None:
    limits = e.RunLimits(cap=100 * DOLLAR, slice=DOLLAR, wave=2)
    world = ScriptedWorld(admitted(*(unit(n) for n in "abcde"), limits=limits))
    world.run()
    waves = [s.attempts for s in world.taken if isinstance(s, Dispatch)]
    assert [len(w) for w in waves] == [2, 2, 1]


def test_candidates_of_a_unit_start_together_where_the_wave_has_room() -> None:
    limits = e.RunLimits(cap=100 * DOLLAR, slice=DOLLAR, wave=4)
    options = e.RunOptions(candidates=3)
    world = ScriptedWorld(admitted(unit("a"), unit("b"), limits=limits, options=options))
    world.run()
    first, second = [s.attempts for s in world.taken if isinstance(s, Dispatch)][:2]
    assert [d.attempt for d in first] == ["a.1", "a.2", "a.3"]
    assert [d.purpose for d in second] == [Purpose.PICK, *[Purpose.CANDIDATE] * 3]


def test_nothing_starts_at_the_end_of_the_money_and_the_rest_is_kept() -> None:
    limits = e.RunLimits(cap=DOLLAR, slice=DOLLAR)
    world = ScriptedWorld(
        admitted(unit("a"), unit("b", "a"), unit("c", "b"), limits=limits), costs={"a.1": DOLLAR}
    )
    world.run()
    assert Exhaust(("b",)) in world.taken
    assert world.statuses() == {"a": "merged", "b": "failed", "c": "skipped"}
    assert world.state.warned
    assert world.state.outcome is Outcome.INCOMPLETE


def test_a_raised_cap_reopens_what_could_not_be_paid_and_warns_anew() -> None:
    limits = e.RunLimits(cap=DOLLAR, slice=DOLLAR)
    world = ScriptedWorld(
        admitted(unit("a"), unit("b", "a"), unit("c", "b"), limits=limits), costs={"a.1": DOLLAR}
    )
    world.run()
    world.resume(cap=3 * DOLLAR)
    assert world.statuses() == {"a": "merged", "b": "open", "c": "open"}
    assert not world.state.warned
    assert world.run().outcome is Outcome.COMPLETED


def test_an_attempt_that_spent_its_slice_is_continued_when_the_run_is_resumed() -> None:
    world = ScriptedWorld(admitted(unit("a")), ends={"a.1": Exit.BUDGET})
    world.run()
    assert world.state.units["a"].reason == "budget"
    world.resume(cap=5000 * CENT)
    world.run()
    assert world.state.units["a"].tries[1].dispatched.continues == "a.1"
