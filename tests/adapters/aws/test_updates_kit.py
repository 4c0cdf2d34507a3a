"""Canaries: each fails when moto no longer needs its repair of updates in `tests/kit/loopback`."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

RETAINED = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


@pytest.fixture(autouse=True)
def account() -> Iterator[None]:
    with mock_aws():
        yield


def client(service: str) -> Any:
    session: Any = boto3
    return session.client(service, region_name="us-east-1")


def task(image: str) -> dict[str, Any]:
    container = {"Name": "worker", "Image": image, "Memory": 128}
    given = {"Family": "worker", "ContainerDefinitions": [container]}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": given, **RETAINED}


def deploy(verb: str, *, parameters: Any = (), **resources: Any) -> None:
    body = {"Resources": resources, "Parameters": {"Version": {"Type": "String", "Default": "1"}}}
    stacks = client("cloudformation")
    stack = getattr(stacks, f"{verb}_stack")
    stack(StackName="a", TemplateBody=json.dumps(body), Parameters=list(parameters))


def queue(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}


def test_what_is_to_be_retained_is_taken_away() -> None:
    deploy("create", Kept={**queue("kept"), **RETAINED}, Other=queue("other"))
    deploy("update", Other=queue("other"))
    (url,) = client("sqs").list_queues()["QueueUrls"]
    assert url.endswith("/other")


def test_a_replaced_task_definition_is_deregistered() -> None:
    deploy("create", Task=task("one"))
    deploy("update", Task=task("two"))
    (active,) = client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    assert active.endswith(":2")


def test_what_refers_to_a_replaced_resource_stays_as_it_was() -> None:
    told = {"Name": "told", "Type": "String", "Value": {"Ref": "Task"}}
    reference = {"Type": "AWS::SSM::Parameter", "Properties": told}
    deploy("create", Task=task("one"), Reference=reference)
    deploy("update", Task=task("two"), Reference=reference)
    assert client("ssm").get_parameter(Name="told")["Parameter"]["Value"].endswith(":1")


def test_a_default_has_no_previous_value() -> None:
    deploy("create", Queue=queue("one"))
    previous = {"ParameterKey": "Version", "UsePreviousValue": True}
    with pytest.raises((KeyError, ClientError), match="Version"):
        deploy("update", Queue=queue("one"), Other=queue("two"), parameters=[previous])


def zipped(text: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("a.py", text)
    return data.getvalue()


def test_a_version_is_told_the_place_of_its_functions_later_code() -> None:
    role = client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions = client("lambda")
    functions.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Role=role,
        Handler="a.b",
        Code={"ZipFile": zipped("one")},
    )
    functions.publish_version(FunctionName="f")
    before = functions.get_function(FunctionName="f", Qualifier="1")["Code"]
    functions.update_function_code(FunctionName="f", ZipFile=zipped("two"))
    assert functions.get_function(FunctionName="f", Qualifier="1")["Code"] != before
