"""Leases under lost answers, rivals and late clean-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.aws.clients import ATTEMPTS
from fanfold.adapters.aws.lease import DynamoLease
from fanfold.adapters.aws.table import Table
from fanfold.errors import CloudUnavailable, LeaseHeld
from tests.fakes.memory import ManualClock
from tests.kit.account import COORDINATION
from tests.kit.faults import faults

if TYPE_CHECKING:
    from fanfold.adapters.aws.clients import Clients


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def lease(clients: Clients, clock: ManualClock) -> DynamoLease:
    return DynamoLease(Table(clients.dynamodb, COORDINATION), clock)


@pytest.mark.parametrize("times", [1, ATTEMPTS])
def test_an_acquisition_whose_answer_is_lost_keeps_its_epoch(
    lease: DynamoLease, times: int
) -> None:
    with faults() as injected:
        injected.lose_answer("PutItem", times)
        if times == ATTEMPTS:
            with pytest.raises(CloudUnavailable):
                lease.acquire("a", "ada", 60)
    assert lease.acquire("a", "ada", 60) == 1


def test_an_answer_lost_in_the_middle_of_acquiring_is_not_noticed(lease: DynamoLease) -> None:
    with faults() as injected:
        injected.lose_answer("PutItem")
        assert lease.acquire("a", "ada", 60) == 1
    assert lease.holder("a") == "ada"


def test_a_rival_that_was_quicker_has_it(lease: DynamoLease) -> None:
    with faults() as injected:
        injected.before("PutItem", lambda: lease.acquire("a", "bob", 60))
        with pytest.raises(LeaseHeld):
            lease.acquire("a", "ada", 60)
    assert lease.holder("a") == "bob"


def test_a_renewal_right_before_a_takeover_keeps_the_lease(
    lease: DynamoLease, clock: ManualClock
) -> None:
    lease.acquire("a", "ada", 60)
    clock.advance(61)
    with faults() as injected:
        injected.before("PutItem", lambda: lease.renew("a", "ada", 60))
        with pytest.raises(LeaseHeld):
            lease.acquire("a", "bob", 60)
    assert lease.acquire("a", "ada", 60) == 1


@pytest.mark.parametrize("operation", ["renew", "release"])
def test_an_update_whose_answer_is_lost_is_made(lease: DynamoLease, operation: str) -> None:
    lease.acquire("a", "ada", 60)
    with faults() as injected:
        injected.lose_answer("UpdateItem")
        if operation == "renew":
            lease.renew("a", "ada", 60)
        else:
            lease.release("a", "ada")
    assert lease.holder("a") == ("ada" if operation == "renew" else None)


def test_an_item_may_go_long_after_its_lease(clients: Clients, lease: DynamoLease) -> None:
    lease.acquire("a", "ada", 60)
    (item,) = clients.dynamodb.scan(TableName=COORDINATION)["Items"]
    seconds_after = int(item["expires_at"].get("N", 0)) - int(item["until"].get("N", 0)) / 1e6
    assert seconds_after == 90 * 86400
