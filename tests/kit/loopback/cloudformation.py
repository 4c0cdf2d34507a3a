"""CloudFormation on the loopback, so that the CDK's own command line can deploy to it.

Repaired in moto 5.2.5: a template could not lie in a bucket on the loopback, what went wrong was
not told, a stack that went was made again by a look at its outputs, types that moto lacks were
skipped in silence, buckets announced nothing, a bus had no `Ref`, and of a state machine
`DefinitionSubstitutions` were left out.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from moto.cloudformation import parsing, responses, utils
from moto.cloudformation.exceptions import ValidationError
from moto.events.models import EventBus
from moto.s3.models import FakeBucket, s3_backends
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from tests.kit.loopback import updates

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from tests.kit.loopback.clients import ClientOf

Properties = dict[str, Any]
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_PERCENTAGE = re.compile(r'("ToleratedFailurePercentage": \d+)\b(?!\.)')

_resources: Any = parsing.ResourceMap
_parsing: Any = parsing
_responses: Any = responses


def repair(client: ClientOf, ends: Mapping[str, Callable[[str], object]]) -> None:
    """Once a process; `ends` are how a resource of a type goes where moto forgets it."""
    for cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cached.cache_clear()
    _find_templates()
    _refuse_unknown_types()
    _delete_in_order(ends)
    _announce_objects(client)
    _substitute_definitions()
    bus: Any = EventBus
    bus.physical_resource_id = property(lambda self: self.name)


@contextmanager
def _told_of(logical_id: str) -> Generator[None]:
    """A failure says of which resource, in the shape of this service."""
    try:
        yield
    except ValidationError:
        raise
    except Exception as error:
        raise ValidationError(message=f"{logical_id}: {error!r}") from error


def _find_templates() -> None:
    from_bucket: Any = utils.get_stack_from_s3_url

    def template_of(url: str, account_id: str, partition: str) -> str:
        place = urlparse(url)
        if place.hostname != "127.0.0.1":
            return from_bucket(url, account_id, partition)
        bucket, _, key = place.path.lstrip("/").partition("/")
        found: Any = s3_backends[account_id][partition].get_object(bucket, key)
        return found.value.decode()

    _responses.get_stack_from_s3_url = template_of


def _refuse_unknown_types() -> None:
    class_of: Any = parsing.resource_class_from_type
    make: Any = parsing.parse_and_create_resource

    def strict_class(kind: str) -> Any:
        found = class_of(kind)
        if found is None and kind not in parsing.NULL_MODELS:
            raise NotImplementedError(f"neither moto nor its repairs can make {kind}")
        return found

    def make_resource(logical_id: str, *args: Any, **kwargs: Any) -> Any:
        with _told_of(logical_id):
            return make(logical_id, *args, **kwargs)

    _parsing.resource_class_from_type = strict_class
    _parsing.parse_and_create_resource = make_resource


def _delete_in_order(ends: Mapping[str, Callable[[str], object]]) -> None:
    def remove(resources: Any, logical_id: str, told: Any) -> None:
        made, end = resources._parsed_resources[logical_id], ends.get(told["Type"])
        with _told_of(logical_id):
            if end is None:
                resources._delete_resource(made, told)
            else:
                end(made.physical_resource_id)

    def delete_all(resources: Any) -> None:
        """The last made first; all stay known, as else a look at outputs makes them again."""
        for logical_id in reversed(list(resources._parsed_resources)):
            told = resources._resource_json_map.get(logical_id)
            if told is not None and told.get("DeletionPolicy") != "Retain":
                remove(resources, logical_id, told)

    _resources.delete = delete_all
    updates.repair(remove, _told_of)


def _announce_objects(client: ClientOf) -> None:
    bucket: Any = FakeBucket
    create: Any = bucket.create_from_cloudformation_json

    def created(_: Any, name: str, cloudformation_json: Any, *args: Any, **kwargs: Any) -> Any:
        made = create(name, cloudformation_json, *args, **kwargs)
        given, s3 = cloudformation_json["Properties"], client("s3")
        if "VersioningConfiguration" in given:
            s3.put_bucket_versioning(
                Bucket=name, VersioningConfiguration=given["VersioningConfiguration"]
            )
        if "EventBridgeConfiguration" in given.get("NotificationConfiguration", {}):
            announce: Properties = {"EventBridgeConfiguration": {}}
            s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration=announce
            )
        return made

    bucket.create_from_cloudformation_json = classmethod(created)


def _substitute_definitions() -> None:
    def created(
        cls: Any, _: str, cloudformation_json: Any, account_id: str, region: str, **__: Any
    ):
        given = cloudformation_json["Properties"]
        backend = stepfunctions_parser_backends[account_id][region]
        return backend.create_state_machine(
            given["StateMachineName"],
            definition_of(given),
            given["RoleArn"],
            sm_type=given["StateMachineType"],
        )

    def updated(
        cls: Any,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Any:
        given = cloudformation_json["Properties"]
        backend = stepfunctions_parser_backends[account_id][region_name]
        return backend.update_state_machine(
            original_resource.arn, definition_of(given), given["RoleArn"]
        )

    def deleted(cls: Any, resource_name: str, _: Any, account_id: str, region: str) -> None:
        stepfunctions_parser_backends[account_id][region].delete_state_machine(resource_name)

    machine: Any = StateMachine
    machine.create_from_cloudformation_json = classmethod(created)
    machine.update_from_cloudformation_json = classmethod(updated)
    machine.delete_from_cloudformation_json = classmethod(deleted)


def definition_of(given: Properties) -> str:
    """The definition with everything substituted; raises `KeyError` for what nothing stands for.

    moto's grammar takes a percentage for a decimal only.
    """
    substitutes = given.get("DefinitionSubstitutions", {})
    text = _PLACEHOLDER.sub(lambda match: str(substitutes[match[1]]), given["DefinitionString"])
    return _PERCENTAGE.sub(r"\1.0", text)
