"""What the data stack promises: nothing lost, nothing open to others, no request dropped."""

from __future__ import annotations

from typing import Any

import pytest

from fanfold.steps.intake import PLAN_READY

Template = dict[str, Any]


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {k: r for k, r in template["Resources"].items() if r["Type"] == kind}


def named(template: Template, kind: str, key: str, name: str) -> dict[str, Any]:
    (found,) = [
        resource["Properties"]
        for resource in of_type(template, kind).values()
        if resource["Properties"].get(key) == name
    ]
    return found


def table(template: Template, part: str) -> dict[str, Any]:
    return named(template, "AWS::DynamoDB::Table", "TableName", f"fanfold-dev-{part}")


def rule(template: Template, part: str) -> dict[str, Any]:
    return named(template, "AWS::Events::Rule", "Name", f"fanfold-dev-{part}")


def queue(template: Template, part: str) -> dict[str, Any]:
    return named(template, "AWS::SQS::Queue", "QueueName", f"fanfold-dev-{part}")


def buckets(template: Template) -> dict[str, dict[str, Any]]:
    """Properties of the buckets by the part of their name that says what they are for."""
    return {
        r["Properties"]["BucketName"]["Fn::Join"][1][0].removeprefix("fanfold-dev-").rstrip("-"): r[
            "Properties"
        ]
        for r in of_type(template, "AWS::S3::Bucket").values()
    }


def denials(template: Template, kind: str) -> list[list[dict[str, Any]]]:
    """The conditions under which each policy of that kind denies everything to everybody."""
    return [
        [
            statement["Condition"]
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny" and statement["Principal"] == {"AWS": "*"}
        ]
        for policy in of_type(template, kind).values()
    ]


@pytest.mark.parametrize(
    ("part", "partition", "sort"),
    [
        ("events", "stream", "version"),
        ("projections", "view", "item"),
        ("coordination", "kind", "name"),
    ],
)
def test_a_table_is_keyed_encrypted_and_recoverable(
    data_template: Template, part: str, partition: str, sort: str
) -> None:
    properties = table(data_template, part)
    (key,) = of_type(data_template, "AWS::KMS::Key")
    assert properties["KeySchema"] == [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
    assert {a["AttributeType"] for a in properties["AttributeDefinitions"]} == {"S"}
    assert properties["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert properties["DeletionProtectionEnabled"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_events_are_streamed_and_never_expire(data_template: Template) -> None:
    events = table(data_template, "events")
    assert events["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert "TimeToLiveSpecification" not in events


def test_the_streams_of_a_project_are_an_index(data_template: Template) -> None:
    (index,) = table(data_template, "events")["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "streams"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["project", "stream"]
    assert index["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["began"]}


def test_only_coordination_expires(data_template: Template) -> None:
    assert table(data_template, "coordination")["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }
    assert "TimeToLiveSpecification" not in table(data_template, "projections")


@pytest.mark.parametrize("kind", ["AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::S3::Bucket"])
def test_deleting_the_stack_keeps_the_data(data_template: Template, kind: str) -> None:
    resources = of_type(data_template, kind).values()
    assert resources
    assert {(r["DeletionPolicy"], r["UpdateReplacePolicy"]) for r in resources} == {
        ("Retain", "Retain")
    }


def test_the_key_rotates(data_template: Template) -> None:
    (key,) = of_type(data_template, "AWS::KMS::Key").values()
    assert key["Properties"]["EnableKeyRotation"]


def test_no_bucket_is_public_and_no_object_has_its_own_acl(data_template: Template) -> None:
    for properties in buckets(data_template).values():
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(properties["PublicAccessBlockConfiguration"]) == 4
        assert properties["OwnershipControls"] == {
            "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
        }


def test_buckets_refuse_plain_http_and_old_tls(data_template: Template) -> None:
    policies = denials(data_template, "AWS::S3::BucketPolicy")
    assert len(policies) == len(buckets(data_template))
    for conditions in policies:
        assert {"Bool": {"aws:SecureTransport": "false"}} in conditions
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in conditions


def test_artifacts_are_encrypted_versioned_and_every_access_is_logged(
    data_template: Template,
) -> None:
    artifacts = buckets(data_template)["artifacts"]
    (encryption,) = artifacts["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert encryption["BucketKeyEnabled"]
    assert artifacts["VersioningConfiguration"] == {"Status": "Enabled"}
    log = artifacts["LoggingConfiguration"]["DestinationBucketName"]["Ref"]
    assert data_template["Resources"][log]["Properties"] == buckets(data_template)["access-log"]


def test_what_can_be_made_again_expires_and_runs_do_not(data_template: Template) -> None:
    rules = buckets(data_template)["artifacts"]["LifecycleConfiguration"]["Rules"]
    assert {r["Prefix"]: r["ExpirationInDays"] for r in rules if "ExpirationInDays" in r} == {
        "snapshots/": 90,
        "deps/": 90,
        "requests/": 30,
    }
    (superseded,) = [r for r in rules if "ExpirationInDays" not in r]
    assert superseded["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert superseded["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_a_new_request_manifest_becomes_a_message(data_template: Template) -> None:
    created = rule(data_template, "request-created")
    pattern, (target,) = created["EventPattern"], created["Targets"]
    bucket = pattern["detail"]["bucket"]["name"][0]["Ref"]
    properties = data_template["Resources"][bucket]["Properties"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created"]
    assert pattern["detail"]["object"]["key"] == [{"prefix": "requests/"}]
    assert "EventBusName" not in created
    assert properties["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }
    requests = target["Arn"]["Fn::GetAtt"][0]
    dead = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
    resources = data_template["Resources"]
    assert resources[requests]["Properties"]["QueueName"] == "fanfold-dev-requests"
    assert resources[dead]["Properties"]["QueueName"] == "fanfold-dev-requests-dead"


def test_a_plan_that_is_ready_becomes_a_message_too(data_template: Template) -> None:
    written = rule(data_template, "request-created")
    ready = rule(data_template, "plan-ready")
    assert ready["EventPattern"] == {"detail-type": [PLAN_READY]}
    (bus,) = of_type(data_template, "AWS::Events::EventBus")
    assert ready["EventBusName"] == {"Ref": bus}
    assert ready["Targets"][0]["Arn"] == written["Targets"][0]["Arn"]
    assert ready["Targets"][0]["DeadLetterConfig"] == written["Targets"][0]["DeadLetterConfig"]


def test_only_the_rules_may_send_to_the_queues(data_template: Template) -> None:
    rules = of_type(data_template, "AWS::Events::Rule")
    policies = of_type(data_template, "AWS::SQS::QueuePolicy").values()
    allowed = [
        statement
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert len(allowed) == 4
    assert {str(s["Principal"]) for s in allowed} == {"{'Service': 'events.amazonaws.com'}"}
    sources = [s["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"] for s in allowed]
    assert sorted(sources) == sorted([[name, "Arn"] for name in rules] * 2)


def test_a_message_waits_for_six_timeouts_and_ends_in_the_dead_letters(
    data_template: Template,
) -> None:
    requests, dead = queue(data_template, "requests"), queue(data_template, "requests-dead")
    target = requests["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    assert requests["VisibilityTimeout"] == 6 * 30
    assert requests["RedrivePolicy"]["maxReceiveCount"] == 5
    assert data_template["Resources"][target]["Properties"] == dead
    assert dead["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert dead["MessageRetentionPeriod"] > requests["MessageRetentionPeriod"]


def test_queues_are_encrypted_and_refuse_plain_http(data_template: Template) -> None:
    queues = of_type(data_template, "AWS::SQS::Queue").values()
    policies = denials(data_template, "AWS::SQS::QueuePolicy")
    assert len(policies) == len(queues) == 2
    assert all(q["Properties"]["SqsManagedSseEnabled"] for q in queues)
    assert all({"Bool": {"aws:SecureTransport": "false"}} in p for p in policies)


def test_everything_that_can_carry_tags_says_whose_it_is(data_template: Template) -> None:
    untaggable = {"AWS::KMS::Alias", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"}
    for resource in data_template["Resources"].values():
        if resource["Type"] not in untaggable:
            tags = {tag["Key"]: tag["Value"] for tag in resource["Properties"]["Tags"]}
            assert tags == {"project": "fanfold", "stage": "dev", "profile": "lite"}


def test_only_alarms_may_use_the_key_besides_the_account(data_template: Template) -> None:
    (key,) = of_type(data_template, "AWS::KMS::Key").values()
    owner, speakers = key["Properties"]["KeyPolicy"]["Statement"]
    assert owner["Principal"]["AWS"]["Fn::Join"][1][-1] == ":root"
    services = {"cloudwatch", "budgets", "costalerts"}
    assert set(speakers["Principal"]["Service"]) == {f"{n}.amazonaws.com" for n in services}
    assert speakers["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    own = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert speakers["Condition"] == {"StringEquals": own}


def test_the_stack_tells_the_names_that_a_client_needs(data_template: Template) -> None:
    assert set(data_template["Outputs"]) >= {
        "EventsTable",
        "ProjectionsTable",
        "CoordinationTable",
        "ArtifactBucketName",
        "EventBus",
    }
