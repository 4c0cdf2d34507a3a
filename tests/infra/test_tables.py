"""The adapters' tests run on the tables that are deployed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.account import COORDINATION, EVENTS, PROJECTIONS, account

Described = dict[str, Any]


@pytest.mark.parametrize("name", [EVENTS, PROJECTIONS, COORDINATION])
def test_the_kit_has_the_table_of_the_template(data_template: Described, name: str) -> None:
    (deployed,) = [
        resource["Properties"]
        for resource in data_template["Resources"].values()
        if resource["Properties"].get("TableName") == f"fanfold-dev-{name}"
    ]
    with account() as clients:
        made: Any = clients.dynamodb.describe_table(TableName=name)["Table"]
    assert _shape(made) == _shape(deployed)


def _shape(table: Described) -> Described:
    """Keys, their types and the indexes, as both describe them."""
    indexes = table.get("GlobalSecondaryIndexes", ())
    return {
        "KeySchema": table["KeySchema"],
        "types": {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]},
        "indexes": [(i["IndexName"], i["KeySchema"], i["Projection"]) for i in indexes],
    }
