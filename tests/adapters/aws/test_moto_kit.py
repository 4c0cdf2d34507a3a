"""Canaries: each fails when moto no longer needs its repair, which can go then."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table as MotoTable
from moto.s3.models import FakeKey

from fanfold.adapters.aws.table import ConditionFailed, Table, text
from tests.kit.account import COORDINATION, shared_clients
from tests.kit.account import account as repaired_account
from tests.kit.dynamodb import one_at_a_time
from tests.kit.s3 import whole_objects

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_kit_is_for_this_version_of_moto() -> None:
    assert version("moto") == "5.2.5"


@pytest.mark.parametrize(
    ("repair", "winners", "patience_s"), [(one_at_a_time, 1, 0.2), (nullcontext, 2, 30.0)]
)
def test_a_conditional_put_has_one_winner_only_when_repaired(
    repair: Callable[[], AbstractContextManager[None]],
    winners: int,
    patience_s: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both_looked = threading.Barrier(2)
    look: Any = MotoTable.get_item

    def look_together(*args: Any, **kwargs: Any) -> Any:
        found = look(*args, **kwargs)
        try:
            both_looked.wait(patience_s)
        except threading.BrokenBarrierError:
            return found
        return found

    def claim(_: int) -> int:
        try:
            table.put({"kind": text("lease"), "name": text("a")}, "attribute_not_exists(#kind)")
        except ConditionFailed:
            return 0
        return 1

    with mock_aws():
        _create_coordination()
        table = Table(shared_clients().dynamodb, COORDINATION)
        monkeypatch.setattr(MotoTable, "get_item", look_together)
        with repair(), ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(claim, range(2))) == winners


@pytest.mark.parametrize(("repair", "whole"), [(whole_objects, True), (nullcontext, False)])
def test_a_replaced_object_can_be_read_to_its_end_only_when_repaired(
    repair: Callable[[], AbstractContextManager[None]], whole: bool
) -> None:
    with mock_aws(), repair():
        key: Any = FakeKey("k", b"content", "123456789012", "us-east-1")
        key.dispose()
        if whole:
            assert key.value == b"content"
        else:
            with pytest.raises(ValueError, match="closed file"):
                assert key.value


@pytest.mark.parametrize(("repair", "looks"), [(one_at_a_time, 0), (nullcontext, 1)])
def test_a_query_of_one_partition_sorts_the_whole_table(
    repair: Callable[[], AbstractContextManager[None]],
    looks: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything, looked = MotoTable.all_items, list[MotoTable]()

    def all_items(table: MotoTable) -> Any:
        looked.append(table)
        return everything(table)

    monkeypatch.setattr(MotoTable, "all_items", all_items)
    with mock_aws(), repair():
        _create_coordination()
        table = Table(shared_clients().dynamodb, COORDINATION)
        for kind in ("lease", "slot"):
            table.put({"kind": text(kind), "name": text("a")}, "attribute_not_exists(#kind)")
        found = table.query("#kind = :kind", fields="#kind", kind=text("lease"))
        assert [item["kind"]["S"] for item in found] == ["lease"]
        assert not list(table.query("#kind = :kind", fields="#kind", kind=text("none")))
    assert len(looked) == 2 * looks


def test_repairs_end_with_the_account() -> None:
    stock = DynamoDBBackend.put_item, FakeKey.dispose
    with repaired_account():
        assert DynamoDBBackend.put_item is not stock[0]
        assert FakeKey.dispose is not stock[1]
    assert (DynamoDBBackend.put_item, FakeKey.dispose) == stock


def _create_coordination() -> None:
    names = (("kind", "HASH"), ("name", "RANGE"))
    keys: Any = [{"AttributeName": name, "KeyType": kind} for name, kind in names]
    types: Any = [{"AttributeName": name, "AttributeType": "S"} for name, _ in names]
    shared_clients().dynamodb.create_table(
        TableName=COORDINATION,
        KeySchema=keys,
        AttributeDefinitions=types,
        BillingMode="PAY_PER_REQUEST",
    )
