"""Updates of stacks as the service makes them, so that a deployment can be deployed over.

Repaired in moto 5.2.5: an update took away first what is gone, whatever its `DeletionPolicy` said,
went through the rest in any order until it worked, and left alone what changes only by what it
refers to; a parameter that was left to its default had no previous value, and a replaced task
definition was always deregistered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from moto.cloudformation import parsing
from moto.cloudformation.models import CloudFormationBackend
from moto.ecs.models import TaskDefinition, ecs_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

_NAME = re.compile(r"\$\{(\w+)[.}]")
_parsing: Any = parsing


def repair(
    remove: Callable[[Any, str, Any], None], told_of: Callable[[str], AbstractContextManager[None]]
) -> None:
    """`remove` takes a resource of a stack away, by its name there and as it was told.

    `told_of` says of what goes wrong inside to which resource it belongs.
    """

    def update(resources: Any, template: dict[str, Any], parameters: Any = None) -> None:
        told = dict(resources._resource_json_map)
        before = {name: _resolved(resources, told[name]) for name in told}
        _load(resources, template, parameters)
        for name in _in_order(template["Resources"]):
            if name not in before:
                resources[name]
            elif _resolved(resources, template["Resources"][name]) != before[name]:
                with told_of(name):
                    _update(resources, name)
        for name in reversed([name for name in told if name not in template["Resources"]]):
            if told[name].get("DeletionPolicy") != "Retain":
                remove(resources, name, told[name])
            resources._parsed_resources.pop(name, None)

    _parsing.ResourceMap.update = update
    _keep_defaults()
    _replace_task_definitions()


def _resolved(resources: Any, told: dict[str, Any]) -> Any:
    return _parsing.clean_json(told.get("Properties", {}), resources)


def _load(resources: Any, template: dict[str, Any], parameters: Any) -> None:
    resources._template = template
    resources.input_parameters = parameters or resources.input_parameters
    resources._resource_json_map = template["Resources"]
    for load in (resources.load_mapping, resources.load_parameters, resources.load_conditions):
        load()


def _update(resources: Any, name: str) -> None:
    """Raises `NotImplementedError` for a type that cannot be changed here."""
    changed = _parsing.parse_and_update_resource(
        name,
        resources._resource_json_map[name],
        resources,
        account_id=resources._account_id,
        region_name=resources._region_name,
    )
    if changed is None:
        kind = resources._resource_json_map[name]["Type"]
        raise NotImplementedError(f"neither moto nor its repairs can change {name}, a {kind}")
    resources._parsed_resources[name] = changed


def _in_order(told: Mapping[str, dict[str, Any]]) -> list[str]:
    """Each after what it refers to or depends on."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in found:
            return
        for other in sorted({*_references(told[name])} & told.keys() - {name}):
            visit(other)
        found[name] = None

    for name in told:
        visit(name)
    return list(found)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, given in value.items():  # pyright: ignore[reportUnknownVariableType]
            if key in {"Ref", "DependsOn", "Fn::GetAtt"}:
                yield from [given] if isinstance(given, str) else given
            elif key == "Fn::Sub":
                yield from _NAME.findall(str(given))  # pyright: ignore[reportUnknownArgumentType]
            yield from _references(given)
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _references(each)


def _keep_defaults() -> None:
    patched: Any = CloudFormationBackend
    resolve: Any = patched._resolve_update_parameters

    def resolved(backend: Any, instance: Any, incoming_params: list[dict[str, Any]]) -> Any:
        known = [p for p in incoming_params if p["ParameterKey"] in instance.parameters]
        given = [p for p in incoming_params if "ParameterValue" in p]
        return resolve(backend, instance, [*known, *(p for p in given if p not in known)])

    patched._resolve_update_parameters = resolved


def _replace_task_definitions() -> None:
    patched: Any = TaskDefinition

    def updated(
        cls: Any,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Any:
        given = (new_resource_name, cloudformation_json, account_id, region_name)
        made = cls.create_from_cloudformation_json(*given)
        if cloudformation_json.get("UpdateReplacePolicy") != "Retain":
            ecs_backends[account_id][region_name].deregister_task_definition(original_resource.arn)
        return made

    patched.update_from_cloudformation_json = classmethod(updated)
