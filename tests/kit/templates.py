"""Questions to a CloudFormation template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Template = dict[str, Any]
Resource = dict[str, Any]


def load(assembly: Path, stack: str) -> Template:
    return json.loads((assembly / f"fanfold-dev-{stack}.template.json").read_text())


def of_type(template: Template, kind: str) -> dict[str, Resource]:
    return {k: r for k, r in template["Resources"].items() if r["Type"] == kind}


def properties(template: Template, kind: str) -> list[Resource]:
    return [resource["Properties"] for resource in of_type(template, kind).values()]


def as_list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def plain(value: Any) -> str:
    """An intrinsic as text, with the account and the region by name."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return separator.join(plain(part) for part in parts)
    return "${" + json.dumps(next(iter(value.values()))).strip('"').removeprefix("AWS::") + "}"


def statements_by_role(template: Template) -> dict[str, list[Resource]]:
    """Every statement that a role of the template has, by the role's name."""
    names = {
        k: r["Properties"].get("RoleName", k)
        for k, r in of_type(template, "AWS::IAM::Role").items()
    }
    found: dict[str, list[Resource]] = {name: [] for name in names.values()}
    for policy in properties(template, "AWS::IAM::Policy"):
        for role in policy["Roles"]:
            found[names[role["Ref"]]] += policy["PolicyDocument"]["Statement"]
    return found


def actions(statements: list[Resource]) -> set[str]:
    return {action for s in statements for action in as_list(s["Action"])}


def resources(statement: Resource) -> Iterator[str]:
    return (plain(resource) for resource in as_list(statement["Resource"]))
