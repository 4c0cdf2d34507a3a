"""Canaries: each fails when moto no longer needs its repair in `tests/kit/loopback`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.awslambda.models import LambdaFunction, LambdaVersion
from moto.cloudformation import parsing, utils
from moto.ecs.models import EC2ContainerServiceBackend, TaskDefinition
from moto.events.models import Rule

from tests.kit.interpreter import interpreter
from tests.kit.loopback.cloudformation import definition_of
from tests.kit.loopback.stacks import Stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "arn:aws:iam::123456789012:role/x"
MADE_WRONGLY = {"AWS::KMS::Key", "AWS::Lambda::Version"}
MAP = {
    "StartAt": "Map",
    "States": {
        "Map": {
            "Type": "Map",
            "ToleratedFailurePercentage": 100,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Done",
                "States": {"Done": {"Type": "Succeed"}},
            },
            "End": True,
        }
    },
}


@pytest.fixture(autouse=True)
def account() -> Iterator[None]:
    with mock_aws():
        yield


def client(service: str) -> Any:
    session: Any = boto3
    return session.client(service, region_name="us-east-1")


def create_stack(**resources: Any) -> None:
    body = json.dumps({"Resources": resources})
    client("cloudformation").create_stack(StackName="a", TemplateBody=body)


@pytest.mark.parametrize("kind", sorted(set(Stacks(client).makers) - MADE_WRONGLY))
def test_moto_lacks_the_type(kind: str) -> None:
    assert parsing.resource_class_from_type(kind) is None


def test_the_tags_of_a_key_are_misspelt() -> None:
    given: Any = {"KeyPolicy": {}, "Tags": [{"Key": "a", "Value": "b"}]}
    with pytest.raises(KeyError, match="TagKey"):
        create_stack(Key={"Type": "AWS::KMS::Key", "Properties": given})


def test_a_version_of_a_function_has_no_reference() -> None:
    assert not hasattr(LambdaVersion({"Version": 1}), "physical_resource_id")


def test_a_template_on_the_loopback_is_not_found() -> None:
    client("s3").create_bucket(Bucket="templates")
    client("s3").put_object(Bucket="templates", Key="a.json", Body=b"{}")
    with pytest.raises(Exception, match=r"(?i)bucket|none"):
        utils.get_stack_from_s3_url("http://127.0.0.1:1/templates/a.json", "123456789012", "aws")


def test_a_deleted_stack_is_made_again_by_a_look_at_its_outputs() -> None:
    body = json.dumps(
        {
            "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}},
            "Outputs": {"Url": {"Value": {"Ref": "Queue"}}},
        }
    )
    stacks = client("cloudformation")
    made = stacks.create_stack(StackName="a", TemplateBody=body)["StackId"]
    stacks.delete_stack(StackName="a")
    assert "QueueUrls" not in client("sqs").list_queues()
    stacks.describe_stacks(StackName=made)
    assert "QueueUrls" in client("sqs").list_queues()


def test_a_bucket_of_a_template_announces_nothing() -> None:
    announce = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    given = {"BucketName": "announcing", "NotificationConfiguration": announce}
    create_stack(Bucket={"Type": "AWS::S3::Bucket", "Properties": given})
    told = client("s3").get_bucket_notification_configuration(Bucket="announcing")
    assert "EventBridgeConfiguration" not in told


def test_a_bucket_policy_denies_under_any_condition() -> None:
    secure = {"Bool": {"aws:SecureTransport": "false"}}
    own = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [{**own, "Condition": secure}]}
    client("s3").create_bucket(Bucket="secure")
    client("s3").put_bucket_policy(Bucket="secure", Policy=json.dumps(policy))
    with pytest.raises(ClientError, match="Forbidden"):
        client("s3").put_object(Bucket="secure", Key="a", Body=b"")


def test_a_percentage_must_be_a_decimal() -> None:
    machines = client("stepfunctions")
    text = json.dumps(MAP)
    with interpreter({}):
        with pytest.raises(ClientError, match="ASLParserException"):
            machines.create_state_machine(name="a", definition=text, roleArn=ROLE)
        repaired = definition_of({"DefinitionString": text})
        machines.create_state_machine(name="a", definition=repaired, roleArn=ROLE)


def test_a_rule_does_not_reach_functions() -> None:
    event: Any = {"source": "a", "detail-type": "b", "detail": {}}
    rule: Any = Rule(
        "r", "123456789012", "us-east-1", None, '{"source": ["a"]}', None, None, "b", None
    )
    rule.put_targets([{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f"}])
    with pytest.raises(NotImplementedError):
        rule.send_to_targets(event, transform_input=False)


def test_functions_need_docker() -> None:
    function: Any = LambdaFunction
    assert "docker.errors" in function._invoke_lambda.__code__.co_names


def test_a_task_on_fargate_needs_the_memory_of_its_container() -> None:
    definition: Any = TaskDefinition.__new__(TaskDefinition)
    definition.container_definitions = [{"name": "worker"}]
    backend: Any = EC2ContainerServiceBackend
    with pytest.raises(TypeError):
        backend._calculate_task_resource_requirements(definition)
