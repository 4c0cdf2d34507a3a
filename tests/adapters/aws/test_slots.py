"""Slots: never more runs than slots, and none that leaks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.aws.clients import ATTEMPTS
from fanfold.adapters.aws.slots import Slots
from fanfold.adapters.aws.table import Table
from fanfold.errors import CloudUnavailable, LeaseLost
from tests.fakes.memory import ManualClock
from tests.kit.account import COORDINATION
from tests.kit.faults import faults

if TYPE_CHECKING:
    from fanfold.adapters.aws.clients import Clients


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def slots(clients: Clients, clock: ManualClock) -> Slots:
    return opened(clients, clock)


def opened(clients: Clients, clock: ManualClock, count: int = 2) -> Slots:
    return Slots(Table(clients.dynamodb, COORDINATION), count, clock)


def runs(slots: Slots) -> list[str]:
    return [slot.run for slot in slots.taken()]


def test_claims_are_given_until_all_slots_are_taken(slots: Slots) -> None:
    assert [slots.claim(run, 60) for run in ("a", "b", "c")] == [0, 1, None]
    assert runs(slots) == ["a", "b"]


def test_a_run_keeps_its_slot_when_it_asks_again(slots: Slots) -> None:
    assert slots.claim("a", 60) == slots.claim("a", 60) == 0
    slots.hold("a", "arn:1")
    assert slots.claim("a", 60) == 0
    assert [slot.execution for slot in slots.taken()] == ["arn:1"]


def test_a_claim_can_be_given_back_but_no_slot_that_is_held(slots: Slots) -> None:
    slots.claim("a", 60)
    slots.claim("b", 60)
    slots.hold("b", "arn:b")
    assert [slots.release_claim(run) for run in ("a", "b", "c")] == [True, False, False]
    assert runs(slots) == ["b"]


def test_a_claim_that_no_execution_followed_expires(slots: Slots, clock: ManualClock) -> None:
    slots.claim("a", 60)
    slots.claim("b", 60)
    slots.hold("b", "arn:b")
    clock.advance(60)
    assert [slot.run for slot in slots.expired()] == ["a"]
    assert slots.claim("c", 60) == 0
    assert runs(slots) == ["c", "b"]


def test_an_execution_that_came_too_late_has_no_slot(slots: Slots, clock: ManualClock) -> None:
    slots.claim("a", 60)
    clock.advance(60)
    with pytest.raises(LeaseLost, match="'a'"):
        slots.hold("a", "arn:a")


def test_a_slot_is_held_for_as_long_as_its_execution_runs(slots: Slots, clock: ManualClock) -> None:
    slots.claim("a", 60)
    slots.hold("a", "arn:a")
    clock.advance(10_000_000)
    assert slots.expired() == []
    assert slots.claim("b", 60) == 1
    assert slots.claim("c", 60) is None


def test_a_release_frees_the_slot_once(slots: Slots) -> None:
    slots.claim("a", 60)
    slots.hold("a", "arn:1")
    assert slots.release("a", "arn:1")
    assert not slots.release("a", "arn:1")
    assert slots.taken() == []


def test_word_of_an_older_generation_frees_nothing(slots: Slots) -> None:
    slots.claim("a", 60)
    slots.hold("a", "arn:1")
    slots.hold("a", "arn:2")
    assert not slots.release("a", "arn:1")
    assert [slot.execution for slot in slots.taken()] == ["arn:2"]
    assert slots.release("a")


def test_fewer_slots_leave_those_that_are_taken_alone(clients: Clients, clock: ManualClock) -> None:
    many, few = opened(clients, clock, 3), opened(clients, clock, 1)
    for run in "abc":
        many.claim(run, 60)
        many.hold(run, f"arn:{run}")
    many.release("b")
    assert few.claim("d", 60) is None
    many.release("a")
    assert few.claim("d", 60) == 0
    assert runs(few) == ["d", "c"]


def test_many_runs_at_once_never_get_more_than_there_is(
    clients: Clients, clock: ManualClock
) -> None:
    def claim(number: int) -> int | None:
        return opened(clients, clock, 3).claim(f"r{number}", 60)

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(claim, range(12)))
    assert sorted(n for n in got if n is not None) == [0, 1, 2]
    assert len(runs(opened(clients, clock))) == 3


def test_one_run_asked_for_many_times_at_once_has_one_slot(
    clients: Clients, clock: ManualClock
) -> None:
    def claim(_: int) -> int | None:
        return opened(clients, clock, 3).claim("r", 60)

    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(claim, range(12)))
    opened(clients, clock).hold("r", "arn:r")
    assert got <= {0, 1, 2}
    assert len(runs(opened(clients, clock))) == 1


def test_slots_that_two_starters_took_for_one_run_become_one(
    clients: Clients, clock: ManualClock
) -> None:
    one, other = opened(clients, clock), opened(clients, clock)
    one.claim("blocker", 60)
    with faults() as injected:
        injected.before("PutItem", lambda: (one.release("blocker"), other.claim("r", 60)))
        assert one.claim("r", 60) == 0
    assert runs(one) == ["r"]


@pytest.mark.parametrize("times", [1, ATTEMPTS])
def test_a_claim_whose_answer_is_lost_leaks_nothing(slots: Slots, times: int) -> None:
    with faults() as injected:
        injected.lose_answer("PutItem", times)
        if times == ATTEMPTS:
            with pytest.raises(CloudUnavailable):
                slots.claim("a", 60)
    assert slots.claim("a", 60) == 0
    assert runs(slots) == ["a"]


def test_a_release_whose_answer_is_lost_frees_the_slot(slots: Slots) -> None:
    slots.claim("a", 60)
    with faults() as injected:
        injected.lose_answer("DeleteItem")
        slots.release("a")
    assert slots.taken() == []
