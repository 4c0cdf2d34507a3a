"""Repairs of moto 5.2.5's DynamoDB: its writes are not atomic among threads, and it sorts the whole
table for a query of one partition.
"""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_OPERATIONS = (
    "put_item",
    "update_item",
    "delete_item",
    "get_item",
    "query",
    "scan",
    "transact_write_items",
)

INDEX_NAME = 6
"""Its place among the arguments of a table's query, after the partition's key."""


@contextmanager
def one_at_a_time() -> Generator[None]:
    """Every operation on items is one step, as in DynamoDB; else conditions have two winners."""
    lock = threading.RLock()
    table: Any = Table
    query = table.query

    def query_partition(self: Any, hash_key: Any, *args: Any, **more: Any) -> Any:
        if args[INDEX_NAME]:
            return query(self, hash_key, *args, **more)
        items = list(self.items.get(hash_key, {}).values())
        self.all_items = lambda: items
        try:
            return query(self, hash_key, *args, **more)
        finally:
            del self.all_items

    originals = {name: getattr(DynamoDBBackend, name) for name in _OPERATIONS}

    def locked(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def operation(*args: Any, **kwargs: Any) -> Any:
            with lock:
                return original(*args, **kwargs)

        return operation

    for name, original in originals.items():
        setattr(DynamoDBBackend, name, locked(original))
    table.query = query_partition
    try:
        yield
    finally:
        table.query = query
        for name, original in originals.items():
            setattr(DynamoDBBackend, name, original)
