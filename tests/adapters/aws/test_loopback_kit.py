"""Canaries: each fails when moto no longer needs its repair in `tests/kit/loopback`."""

from __future__ import annotations

import inspect
import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.awslambda import models as functions
from moto.awslambda.models import LambdaBackend, LambdaFunction, LambdaVersion
from moto.cloudformation import parsing, utils
from moto.dynamodb.models import dynamodb_backends
from moto.ecs.models import EC2ContainerServiceBackend, TaskDefinition
from moto.events.models import Rule
from moto.sqs.models import sqs_backends

from tests.kit.interpreter import interpreter
from tests.kit.loopback.clients import ACCOUNT, REGION
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


def test_a_message_is_delivered_in_the_write_that_makes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = list[Any]()

    def send(_: Any, function_arn: str, messages: Any, queue_arn: str) -> bool:
        sent.append((queue_arn, messages))
        return False

    monkeypatch.setattr(LambdaBackend, "send_sqs_batch", send)
    url = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    queue: Any = sqs_backends[ACCOUNT][REGION].queues["q"]
    queue.lambda_event_source_mappings["f"] = SimpleNamespace(enabled=True, batch_size=10)
    client("sqs").send_message(QueueUrl=url, MessageBody="a")
    assert len(sent) == 1


def test_a_record_is_delivered_in_the_write_that_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = list[Any]()

    def send(_: Any, function_arn: str, items: Any, source: str) -> str:
        sent.append(list(items))
        return ""

    monkeypatch.setattr(LambdaBackend, "send_dynamodb_items", send)
    tables = client("dynamodb")
    tables.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    table: Any = dynamodb_backends[ACCOUNT][REGION].get_table("t")
    mapping = SimpleNamespace(event_source_arn="arn")
    table.lambda_event_source_mappings[f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"] = mapping
    tables.put_item(TableName="t", Item={"a": {"S": "1"}})
    tables.put_item(TableName="t", Item={"a": {"S": "2"}})
    assert [len(items) for items in sent] == [1, 2]


def test_messages_that_failed_of_a_batch_are_not_told_apart() -> None:
    assert "batchItemFailures" not in inspect.getsource(functions)


def test_nobody_hears_that_an_execution_has_ended() -> None:
    url = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    pattern = json.dumps({"source": ["aws.states"]})
    client("events").put_rule(Name="ends", EventPattern=pattern)
    target = {"Id": "q", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}
    client("events").put_targets(Rule="ends", Targets=[target])
    with interpreter({}):
        assert _end({"Done": {"Type": "Succeed"}}) == "SUCCEEDED"
    assert "Messages" not in client("sqs").receive_message(QueueUrl=url)


def test_a_request_for_a_task_is_not_spelt_as_its_service_does() -> None:
    run: dict[str, Any] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::ecs:runTask.sync",
        "Parameters": {"Cluster": "c", "TaskDefinition": "t"},
        "End": True,
    }
    with interpreter({"ecs": client("ecs")}):
        assert _end({"Run": run}) == "FAILED"


def test_a_task_stops_by_being_looked_at() -> None:
    tasks, network = client("ecs"), client("ec2")
    subnet = network.describe_subnets()["Subnets"][0]["SubnetId"]
    tasks.create_cluster(clusterName="c")
    container = {"name": "worker", "image": "i", "memory": 128}
    tasks.register_task_definition(family="t", containerDefinitions=[container])
    (task,) = tasks.run_task(
        cluster="c",
        taskDefinition="t",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )["tasks"]
    looks = [tasks.describe_tasks(cluster="c", tasks=[task["taskArn"]]) for _ in range(6)]
    assert looks[-1]["tasks"][0]["lastStatus"] == "STOPPED"


def test_a_bus_of_a_template_has_no_reference() -> None:
    bus = {"Type": "AWS::Events::EventBus", "Properties": {"Name": "bus"}}
    body = json.dumps({"Resources": {"Bus": bus}, "Outputs": {"Name": {"Value": {"Ref": "Bus"}}}})
    client("cloudformation").create_stack(StackName="a", TemplateBody=body)
    (stack,) = client("cloudformation").describe_stacks(StackName="a")["Stacks"]
    assert stack["Outputs"][0].get("OutputValue") != "bus"


def test_a_definition_is_left_without_its_substitutes() -> None:
    given = {
        "StateMachineName": "m",
        "StateMachineType": "STANDARD",
        "RoleArn": ROLE,
        "DefinitionString": json.dumps(MAP | {"Comment": "${Word}"}),
        "DefinitionSubstitutions": {"Word": "told"},
    }
    create_stack(Machine={"Type": "AWS::StepFunctions::StateMachine", "Properties": given})
    machines = client("stepfunctions")
    (made,) = machines.list_state_machines()["stateMachines"]
    found = machines.describe_state_machine(stateMachineArn=made["stateMachineArn"])
    assert "${Word}" in found["definition"]


def _end(states: dict[str, Any]) -> str:
    machines = client("stepfunctions")
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    made = machines.create_state_machine(name="m", definition=definition, roleArn=ROLE)
    begun = machines.start_execution(stateMachineArn=made["stateMachineArn"], input="{}")
    status = "RUNNING"
    while status == "RUNNING":
        time.sleep(0.01)
        status = machines.describe_execution(executionArn=begun["executionArn"])["status"]
    return status
