"""What every lease does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fanfold.errors import LeaseHeld, LeaseLost
from tests.fakes.stores import BACKENDS, Stores

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

NAME = "run/r1/attempt/1.2.1"


@pytest.fixture(params=list(BACKENDS))
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Stores]:
    with BACKENDS[request.param](tmp_path) as opened:
        yield opened


def test_the_first_epoch_is_1(stores: Stores) -> None:
    assert stores.lease().acquire(NAME, "ada", 60) == 1
    assert stores.lease().holder(NAME) == "ada"


def test_a_free_lease_has_no_holder(stores: Stores) -> None:
    assert stores.lease().holder(NAME) is None


def test_a_held_lease_is_refused_to_others(stores: Stores) -> None:
    stores.lease().acquire(NAME, "ada", 60)
    with pytest.raises(LeaseHeld) as refused:
        stores.lease().acquire(NAME, "bob", 60)
    assert (refused.value.name, refused.value.holder) == (NAME, "ada")
    assert stores.lease().holder(NAME) == "ada"


def test_a_holder_that_asks_again_keeps_its_epoch_for_longer(stores: Stores) -> None:
    lease = stores.lease()
    lease.acquire(NAME, "ada", 60)
    stores.clock.advance(50)
    assert lease.acquire(NAME, "ada", 60) == 1
    stores.clock.advance(50)
    assert lease.holder(NAME) == "ada"


def test_a_lease_expires(stores: Stores) -> None:
    lease = stores.lease()
    lease.acquire(NAME, "ada", 60)
    stores.clock.advance(59.9)
    assert lease.holder(NAME) == "ada"
    stores.clock.advance(0.1)
    assert lease.holder(NAME) is None


def test_each_later_owner_has_a_higher_epoch(stores: Stores) -> None:
    lease = stores.lease()
    assert lease.acquire(NAME, "ada", 60) == 1
    stores.clock.advance(60)
    assert lease.acquire(NAME, "bob", 60) == 2
    lease.release(NAME, "bob")
    assert lease.acquire(NAME, "bob", 60) == 3
    stores.clock.advance(60)
    assert stores.lease().acquire(NAME, "bob", 60) == 4


def test_renewing_moves_the_end(stores: Stores) -> None:
    lease = stores.lease()
    lease.acquire(NAME, "ada", 60)
    stores.clock.advance(50)
    lease.renew(NAME, "ada", 60)
    stores.clock.advance(59)
    assert lease.holder(NAME) == "ada"
    assert lease.acquire(NAME, "ada", 60) == 1


def test_an_expired_lease_that_nobody_took_can_be_renewed(stores: Stores) -> None:
    lease = stores.lease()
    lease.acquire(NAME, "ada", 60)
    stores.clock.advance(3600)
    lease.renew(NAME, "ada", 60)
    assert lease.holder(NAME) == "ada"


def test_a_lease_that_was_taken_over_is_lost(stores: Stores) -> None:
    lease = stores.lease()
    lease.acquire(NAME, "ada", 60)
    stores.clock.advance(61)
    lease.acquire(NAME, "bob", 60)
    with pytest.raises(LeaseLost, match="ada"):
        lease.renew(NAME, "ada", 60)
    assert lease.holder(NAME) == "bob"


def test_a_released_lease_is_free_and_cannot_be_renewed(stores: Stores) -> None:
    lease = stores.lease()
    lease.acquire(NAME, "ada", 60)
    lease.release(NAME, "ada")
    assert lease.holder(NAME) is None
    with pytest.raises(LeaseLost):
        lease.renew(NAME, "ada", 60)


def test_a_lease_that_never_was_cannot_be_renewed(stores: Stores) -> None:
    with pytest.raises(LeaseLost):
        stores.lease().renew(NAME, "ada", 60)


def test_only_the_holder_releases(stores: Stores) -> None:
    lease = stores.lease()
    lease.release(NAME, "bob")
    lease.acquire(NAME, "ada", 60)
    lease.release(NAME, "bob")
    assert lease.holder(NAME) == "ada"


@pytest.mark.parametrize(
    "other", ["run/r1", "run%2Fr1/attempt/1.2.1", "../run", "ü" * 300, "x" * 300]
)
def test_names_are_apart(stores: Stores, other: str) -> None:
    lease = stores.lease()
    lease.acquire(NAME, "ada", 60)
    assert lease.acquire(other, "bob", 60) == 1
    assert (lease.holder(NAME), lease.holder(other)) == ("ada", "bob")


def test_one_of_many_wins(stores: Stores) -> None:
    shared = stores.lease()

    def worker(number: int) -> int:
        lease = shared if number % 2 else stores.lease()
        try:
            return lease.acquire(NAME, f"worker {number}", 60)
        except LeaseHeld:
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(worker, range(16))) == [0] * 15 + [1]
