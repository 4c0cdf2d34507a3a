"""A DynamoDB table: conditional writes, and consistent reads of all pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from fanfold.adapters.aws.failures import (
    CONDITION_FAILED,
    FAILURES,
    code_of,
    explained,
    reasons_of,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
"""Attributes in DynamoDB's own JSON: `{"name": {"S": "ada"}}`."""

_NAME = re.compile(r"#(\w+)")


class ConditionFailed(Exception):
    """The item was not as the write demands, or the write's first try got through unnoticed."""


class Put(NamedTuple):
    """An item to write if the one in its place fits `condition`."""

    item: Item
    condition: str
    values: Mapping[str, Any] = {}


def text(value: str) -> dict[str, str]:
    return {"S": value}


def number(value: int) -> dict[str, str]:
    return {"N": str(value)}


class Table:
    """One table; in expressions every attribute is written as `#name`, every value as `:name`.

    A request that fails after all retries raises `CloudError`.
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client, self.name = client, name

    def get(self, key: Item, fields: str) -> Item | None:
        with translated(f"read table {self.name!r}"):
            return self._client.get_item(
                TableName=self.name,
                Key=key,
                ConsistentRead=True,
                ProjectionExpression=fields,
                ExpressionAttributeNames=_names(fields),
            ).get("Item")

    def put(self, item: Item, condition: str, **values: Any) -> None:
        """Raises `ConditionFailed`."""
        self._write("put_item", {"Item": item}, condition, values)

    def put_together(self, puts: Sequence[Put]) -> None:
        """Write all of at most 100 items or none.

        Raises `ConditionFailed` when a condition fails, or when one of them is being written to.
        """
        writes: Any = [
            {"Put": {"TableName": self.name, "Item": p.item, **_condition(p.condition, p.values)}}
            for p in puts
        ]
        try:
            self._client.transact_write_items(TransactItems=writes)
        except FAILURES as error:
            if reasons_of(error) & {"ConditionalCheckFailed", "TransactionConflict"}:
                raise ConditionFailed from error
            raise explained(f"write to table {self.name!r}", error) from error

    def update(self, key: Item, change: str, condition: str, **values: Any) -> None:
        """Raises `ConditionFailed`. Only changes that may be made twice: a retry makes them so."""
        self._write("update_item", {"Key": key, "UpdateExpression": change}, condition, values)

    def delete(self, key: Item, condition: str, **values: Any) -> None:
        """Raises `ConditionFailed`."""
        self._write("delete_item", {"Key": key}, condition, values)

    def query(
        self, condition: str, *, fields: str, index: str = "", last: bool = False, **values: Any
    ) -> Iterator[Item]:
        """Items in the order of their sort key, or the last one alone.

        Consistent, but for an `index`, which may lag behind by a second.
        """
        query: dict[str, Any] = {
            "KeyConditionExpression": condition,
            "ProjectionExpression": fields,
            "ExpressionAttributeNames": _names(condition, fields),
            "ExpressionAttributeValues": _values(values),
        }
        query |= {"IndexName": index} if index else {"ConsistentRead": True}
        query |= {"ScanIndexForward": False, "Limit": 1} if last else {}
        more = True
        while more:
            with translated(f"read table {self.name!r}"):
                page = self._client.query(TableName=self.name, **query)
            yield from page["Items"]
            query["ExclusiveStartKey"] = page.get("LastEvaluatedKey")
            more = query["ExclusiveStartKey"] is not None and not last

    def _write(
        self, operation: str, request: Item, condition: str, values: Mapping[str, Any]
    ) -> None:
        request |= _condition(condition, values, request.get("UpdateExpression", ""))
        try:
            getattr(self._client, operation)(TableName=self.name, **request)
        except FAILURES as error:
            if code_of(error) == CONDITION_FAILED:
                raise ConditionFailed from error
            raise explained(f"write to table {self.name!r}", error) from error


def _condition(condition: str, values: Mapping[str, Any], change: str = "") -> Item:
    found: Item = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": _names(condition, change),
    }
    return found | ({"ExpressionAttributeValues": _values(values)} if values else {})


def _names(*expressions: str) -> dict[str, str]:
    return {f"#{name}": name for expression in expressions for name in _NAME.findall(expression)}


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f":{name}": value for name, value in values.items()}
