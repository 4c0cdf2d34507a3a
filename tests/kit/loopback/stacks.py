"""Types of resources that moto's CloudFormation lacks or makes wrongly.

Repaired in moto 5.2.5: most of these types were skipped, a version of a function had neither `Ref`
nor attributes, and the tags of a key were misspelt.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from moto.core.common_models import CloudFormationModel

from tests.kit.loopback import cloudformation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.kit.loopback.clients import ClientOf
    from tests.kit.loopback.cloudformation import Properties


class Made(NamedTuple):
    """What `Ref` gives for a resource, and its attributes for `GetAtt`."""

    reference: str
    attributes: Mapping[str, str] | None = None


class Stacks:
    """Types of resources that moto's CloudFormation lacks, made by the services themselves.

    What moto has no service for is only noted in `noted`, by type.
    """

    def __init__(self, client: ClientOf) -> None:
        self._client = client
        self.noted: dict[str, list[Properties]] = {}

    @property
    def makers(self) -> dict[str, Callable[[str, Properties], Made]]:
        """What makes a resource of each type from its name and properties."""
        return {
            "AWS::KMS::Key": self._key,
            "AWS::Lambda::Version": self._version,
            "AWS::Lambda::Alias": self._alias,
            "AWS::CloudWatch::Alarm": self._alarm,
            "AWS::SQS::QueuePolicy": self._queue_policy,
            "AWS::SNS::TopicPolicy": self._topic_policy,
            "AWS::SNS::Subscription": self._subscription,
            "AWS::EC2::SecurityGroupEgress": self._egress,
            "AWS::ECS::ClusterCapacityProviderAssociations": self._capacity_providers,
            **{kind: self._note(kind) for kind in _WITHOUT_SERVICE},
        }

    def repair(self) -> None:
        """Once a process, before the first template."""
        self._models = [
            _model(kind, make, self._changers.get(kind)) for kind, make in self.makers.items()
        ]
        cloudformation.repair(self._client, self._ends())

    @property
    def _changers(self) -> dict[str, Callable[[Any, Properties], Any]]:
        """What changes a resource in place; what needs a type that is not here is refused."""
        return {
            "AWS::Lambda::Alias": self._move_alias,
            "AWS::CloudWatch::Alarm": self._change_alarm,
        }

    def _ends(self) -> dict[str, Callable[[str], object]]:
        client = self._client
        return {
            "AWS::Lambda::Version": lambda n: client("lambda").delete_function(FunctionName=n),
            "AWS::CloudWatch::Alarm": lambda n: client("cloudwatch").delete_alarms(AlarmNames=[n]),
            "AWS::EC2::RouteTable": self._delete_route_table,
            "AWS::EC2::VPCEndpoint": lambda n: client("ec2").delete_vpc_endpoints(
                VpcEndpointIds=[n]
            ),
            "AWS::Logs::LogGroup": lambda n: client("logs").delete_log_group(logGroupName=n),
        }

    def _delete_route_table(self, name: str) -> None:
        ec2 = self._client("ec2")
        (table,) = ec2.describe_route_tables(RouteTableIds=[name])["RouteTables"]
        for association in table["Associations"]:
            ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
        ec2.delete_route_table(RouteTableId=name)

    def _key(self, _: str, given: Properties) -> Made:
        made = self._client("kms").create_key(
            Policy=json.dumps(given["KeyPolicy"]),
            Description=given["Description"],
            Tags=[{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in given["Tags"]],
        )["KeyMetadata"]
        return Made(made["KeyId"], {"Arn": made["Arn"]})

    def _version(self, _: str, given: Properties) -> Made:
        made = self._client("lambda").publish_version(FunctionName=given["FunctionName"])
        return Made(made["FunctionArn"], {"Version": made["Version"]})

    def _alias(self, _: str, given: Properties) -> Made:
        function = given["FunctionName"].rpartition(":function:")[2]
        made = self._client("lambda").create_alias(
            FunctionName=function, Name=given["Name"], FunctionVersion=given["FunctionVersion"]
        )
        return Made(made["AliasArn"])

    def _move_alias(self, made: Any, given: Properties) -> Any:
        self._client("lambda").update_alias(
            FunctionName=given["FunctionName"].rpartition(":function:")[2],
            Name=given["Name"],
            FunctionVersion=given["FunctionVersion"],
        )
        return made

    def _change_alarm(self, made: Any, given: Properties) -> Any:
        self._alarm(made.name, given)
        return made

    def _alarm(self, name: str, given: Properties) -> Made:
        given = {"AlarmName": name, **_typed(given)}
        watch = self._client("cloudwatch")
        watch.put_metric_alarm(**given)
        (made,) = watch.describe_alarms(AlarmNames=[given["AlarmName"]])["MetricAlarms"]
        return Made(given["AlarmName"], {"Arn": made["AlarmArn"]})

    def _queue_policy(self, name: str, given: Properties) -> Made:
        policy = {"Policy": json.dumps(given["PolicyDocument"])}
        for queue in given["Queues"]:
            self._client("sqs").set_queue_attributes(QueueUrl=queue, Attributes=policy)
        return Made(name)

    def _topic_policy(self, name: str, given: Properties) -> Made:
        for topic in given["Topics"]:
            self._client("sns").set_topic_attributes(
                TopicArn=topic,
                AttributeName="Policy",
                AttributeValue=json.dumps(given["PolicyDocument"]),
            )
        return Made(name)

    def _subscription(self, _: str, given: Properties) -> Made:
        made = self._client("sns").subscribe(**given, ReturnSubscriptionArn=True)
        return Made(made["SubscriptionArn"])

    def _egress(self, name: str, given: Properties) -> Made:
        rule: Properties = {"IpProtocol": str(given["IpProtocol"])}
        rule |= {end: int(given[end]) for end in ("FromPort", "ToPort") if end in given}
        if "DestinationPrefixListId" in given:
            rule["PrefixListIds"] = [{"PrefixListId": given["DestinationPrefixListId"]}]
        elif "DestinationSecurityGroupId" in given:
            rule["UserIdGroupPairs"] = [{"GroupId": given["DestinationSecurityGroupId"]}]
        else:
            rule["IpRanges"] = [{"CidrIp": given["CidrIp"]}]
        self._client("ec2").authorize_security_group_egress(
            GroupId=given["GroupId"], IpPermissions=[rule]
        )
        return Made(name)

    def _capacity_providers(self, name: str, given: Properties) -> Made:
        self._client("ecs").put_cluster_capacity_providers(
            cluster=given["Cluster"],
            capacityProviders=given["CapacityProviders"],
            defaultCapacityProviderStrategy=given["DefaultCapacityProviderStrategy"],
        )
        return Made(name)

    def _note(self, kind: str) -> Callable[[str, Properties], Made]:
        def note(name: str, given: Properties) -> Made:
            self.noted.setdefault(kind, []).append(given)
            arn = f"arn:aws:ce::123456789012:anomaly/{name}"
            return Made(arn, {"Id": name, "MonitorArn": arn, "SubscriptionArn": arn})

        return note


_WITHOUT_SERVICE = (
    "AWS::S3::BucketPolicy",  # moto refuses what a policy denies under any condition
    "AWS::Budgets::Budget",
    "AWS::CE::AnomalyMonitor",
    "AWS::CE::AnomalySubscription",
    "AWS::Route53Resolver::FirewallDomainList",
    "AWS::Route53Resolver::FirewallRuleGroup",
    "AWS::Route53Resolver::FirewallRuleGroupAssociation",
)
_NUMBERS = {"Threshold": float, "Period": int, "EvaluationPeriods": int, "DatapointsToAlarm": int}


def _typed(given: Properties) -> Properties:
    """CloudFormation takes numbers as text, too."""
    return {key: _NUMBERS[key](value) if key in _NUMBERS else value for key, value in given.items()}


def _model(  # noqa: C901
    kind: str,
    make: Callable[[str, Properties], Made],
    change: Callable[[Any, Properties], Any] | None,
) -> type[CloudFormationModel]:
    """The class by which moto creates resources of `kind`."""

    class Resource(CloudFormationModel):
        def __init__(self, made: Made) -> None:
            self.physical_resource_id = self.name = made.reference
            self._attributes = made.attributes

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return True

        def get_cfn_attribute(self, attribute_name: str) -> str:
            return (self._attributes or {})[attribute_name]

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, *_: Any, **__: Any
        ) -> Any:
            return cls(make(resource_name, cloudformation_json["Properties"]))

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Any,
            new_resource_name: str,
            cloudformation_json: Any,
            account_id: str,
            region_name: str,
        ) -> Any:
            if change is None:
                raise NotImplementedError(f"the kit cannot change a {kind}")
            return change(original_resource, cloudformation_json["Properties"])

        @classmethod
        def delete_from_cloudformation_json(cls, *_: Any, **__: Any) -> None:
            return

    Resource.__module__ = "moto.cloudformation.resources"  # moto takes the service's name from it
    return Resource
