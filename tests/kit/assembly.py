"""A cloud assembly as an account would hold it: names and ARNs in place of intrinsics."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.kit.iam import Policies, Request, Unsupported, is_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.kit.iam import Statement

ACCOUNT, REGION = "123456789012", "us-east-1"
HERE = f"{REGION}:{ACCOUNT}"
_PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws"}
_ARNS = {
    "AWS::DynamoDB::Table": (f"arn:aws:dynamodb:{HERE}:table/", "TableName"),
    "AWS::ECS::Cluster": (f"arn:aws:ecs:{HERE}:cluster/", "ClusterName"),
    "AWS::Events::EventBus": (f"arn:aws:events:{HERE}:event-bus/", "Name"),
    "AWS::IAM::ManagedPolicy": (f"arn:aws:iam::{ACCOUNT}:policy/", "ManagedPolicyName"),
    "AWS::IAM::Role": (f"arn:aws:iam::{ACCOUNT}:role/", "RoleName"),
    "AWS::Lambda::Function": (f"arn:aws:lambda:{HERE}:function:", "FunctionName"),
    "AWS::Logs::LogGroup": (f"arn:aws:logs:{HERE}:log-group:", "LogGroupName"),
    "AWS::S3::Bucket": ("arn:aws:s3:::", "BucketName"),
    "AWS::SNS::Topic": (f"arn:aws:sns:{HERE}:", "TopicName"),
    "AWS::SQS::Queue": (f"arn:aws:sqs:{HERE}:", "QueueName"),
    "AWS::StepFunctions::StateMachine": (
        f"arn:aws:states:{HERE}:stateMachine:",
        "StateMachineName",
    ),
}
_REF_IS_ARN = {"AWS::IAM::ManagedPolicy", "AWS::SNS::Topic", "AWS::StepFunctions::StateMachine"}
_SUB = re.compile(r"\$\{([\w:.]+)\}")


@dataclass(frozen=True)
class Role:
    """A role with all that its own policies, its boundary and its trust policy say."""

    arn: str
    statements: list[Statement]
    boundary: list[Statement]
    trust: list[Statement]

    def may(
        self,
        action: str,
        resource: str,
        context: Mapping[str, str | tuple[str, ...]] | None = None,
        *,
        endpoint: list[Statement] | None = None,
    ) -> bool:
        """Also through an `endpoint`. Raises `Unsupported`."""
        request = Request(
            self.arn, action, resource, {"aws:PrincipalAccount": ACCOUNT, **(context or {})}
        )
        return is_allowed(request, Policies(self.statements, self.boundary, endpoint=endpoint))

    @property
    def actions(self) -> set[str]:
        return {action for s in self.statements for action in _as_list(s["Action"])}


class Assembly:
    """The templates of one synthesis."""

    def __init__(self, folder: Path) -> None:
        self.templates: dict[str, dict[str, Any]] = {
            path.name.removesuffix(".template.json"): json.loads(path.read_text())
            for path in sorted(folder.glob("*.template.json"))
        }

    @cached_property
    def exports(self) -> dict[str, Any]:
        return {
            output["Export"]["Name"]: self.resolve(output["Value"], stack)
            for stack, template in self.templates.items()
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }

    def stack(self, part: str) -> str:
        (name,) = (name for name in self.templates if name.endswith(f"-{part}"))
        return name

    def of_type(self, kind: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Properties with everything resolved, by stack and logical id."""
        return {
            (stack, key): self.resolve(resource.get("Properties", {}), stack)
            for stack, template in self.templates.items()
            for key, resource in template["Resources"].items()
            if resource["Type"] == kind
        }

    @cached_property
    def roles(self) -> dict[str, Role]:
        """By the part of the name after project and stage."""
        inline: dict[str, list[Statement]] = {}
        for policy in self.of_type("AWS::IAM::Policy").values():
            for role in policy["Roles"]:
                inline.setdefault(role, []).extend(policy["PolicyDocument"]["Statement"])
        managed = {
            self._arn(stack, key): found["PolicyDocument"]["Statement"]
            for (stack, key), found in self.of_type("AWS::IAM::ManagedPolicy").items()
        }
        return {
            _part(role["RoleName"]): self._role(stack, key, role, inline, managed)
            for (stack, key), role in self.of_type("AWS::IAM::Role").items()
            if "RoleName" in role
        }

    def _role(
        self,
        stack: str,
        key: str,
        role: dict[str, Any],
        inline: Mapping[str, list[Statement]],
        managed: Mapping[str, list[Statement]],
    ) -> Role:
        attached = [s for arn in role.get("ManagedPolicyArns", []) for s in managed[arn]]
        own = [s for p in role.get("Policies", []) for s in p["PolicyDocument"]["Statement"]]
        return Role(
            self._arn(stack, key),
            [*inline.get(role["RoleName"], []), *attached, *own],
            managed[role["PermissionsBoundary"]],
            role["AssumeRolePolicyDocument"]["Statement"],
        )

    @property
    def key_arn(self) -> str:
        ((stack, key),) = self.of_type("AWS::KMS::Key")
        return self._arn(stack, key)

    def endpoint(self, service: str) -> list[Statement]:
        """The policy of the endpoint of `service`, such as `dynamodb` or `ecr.api`."""
        (found,) = (
            endpoint["PolicyDocument"]["Statement"]
            for endpoint in self.of_type("AWS::EC2::VPCEndpoint").values()
            if endpoint["ServiceName"] == f"com.amazonaws.{REGION}.{service}"
        )
        return found

    def resolve(self, value: Any, stack: str) -> Any:
        """`value` without intrinsics, but for those that need the account to be asked."""
        if isinstance(value, list):
            return [self.resolve(each, stack) for each in value]  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:  # pyright: ignore[reportUnknownArgumentType]
            (name, argument), *_ = value.items()  # pyright: ignore[reportUnknownVariableType]
            if name == "Ref" or str(name).startswith("Fn::"):  # pyright: ignore[reportUnknownArgumentType]
                return self._intrinsic(name, argument, stack)  # pyright: ignore[reportUnknownArgumentType]
        return {k: self.resolve(v, stack) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]

    def _intrinsic(self, name: str, argument: Any, stack: str) -> Any:
        match name:
            case "Ref":
                return self._ref(argument, stack)
            case "Fn::GetAtt":
                key, attribute = argument
                return self._arn(stack, key) if attribute == "Arn" else f"<{key}.{attribute}>"
            case "Fn::Join":
                return argument[0].join(str(each) for each in self.resolve(argument[1], stack))
            case "Fn::Sub":
                return _SUB.sub(lambda m: str(self._ref(m[1], stack)), argument)
            case "Fn::ImportValue":
                return self.exports[argument]
            case _:
                return f"<{name}>"

    def _ref(self, name: str, stack: str) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name.startswith("AWS::"):
            return f"<{name}>"
        resource = self.templates[stack]["Resources"].get(name)
        if resource is None:
            return f"<{name}>"
        kind = resource["Type"]
        if kind in _REF_IS_ARN:
            return self._arn(stack, name)
        field = _ARNS.get(kind, ("", ""))[1]
        named = resource["Properties"].get(field) if field else None
        return f"<{name}>" if named is None else self.resolve(named, stack)

    def _arn(self, stack: str, key: str) -> str:
        resource = self.templates[stack]["Resources"][key]
        kind = resource["Type"]
        if kind == "AWS::KMS::Key":
            return f"arn:aws:kms:{HERE}:key/{key}"
        if kind not in _ARNS:
            return f"<{key}.Arn>"
        prefix, field = _ARNS[kind]
        if field not in resource["Properties"]:
            raise Unsupported(f"{kind} {key!r} without {field}")
        return prefix + str(self.resolve(resource["Properties"][field], stack))


def _part(name: str) -> str:
    return name.split("-", 2)[2]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
