"""The permissions of fanfold's roles as statements, each as narrow as its use allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.constructs.intake import PLAN_READY
from infra.constructs.model_secrets import KEY, PASS
from infra.models import call_statements

if TYPE_CHECKING:
    from infra.settings import CloudSettings
    from infra.stacks.data import DataStack


class Access:
    """Statements about one deployment's tables, bucket, bus and state machine.

    ARNs are spelt from names, so that every wildcard in them can be seen and accepted by itself.
    """

    def __init__(self, settings: CloudSettings, data: DataStack) -> None:
        self._settings, self._data = settings, data
        here = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
        machine = settings.name("run")
        self.state_machine_arn = f"arn:aws:states:{here}:stateMachine:{machine}"
        self._executions = f"arn:aws:states:{here}:execution:{machine}:*"
        self._function_prefix = f"arn:aws:lambda:{here}:function:"
        self._stack_prefix = f"arn:aws:cloudformation:{here}:stack/"
        self._table_prefix = f"arn:aws:dynamodb:{here}:table/"
        bucket = settings.name("artifacts")
        self.bucket_arn = f"arn:aws:s3:::{bucket}-{Aws.ACCOUNT_ID}-{Aws.REGION}"
        self.events_arn = self._table_arn("events")

    def live_arn(self, name: str) -> str:
        """The alias that every deploy moves on, known before the function is."""
        return f"{self._function_prefix}{self._settings.name(name)}:live"

    def role_arn(self, name: str) -> str:
        return f"arn:aws:iam::{Aws.ACCOUNT_ID}:role/{self._settings.name(name)}"

    def read_events(self) -> iam.PolicyStatement:
        actions = ["dynamodb:GetItem", "dynamodb:Query"]
        return _allow("ReadEvents", actions, self.events_arn, f"{self.events_arn}/index/streams")

    def append_events(self) -> iam.PolicyStatement:
        """Events are put and never changed or deleted, by nobody."""
        return _allow("AppendEvents", ["dynamodb:PutItem"], self.events_arn)

    def coordinate(self) -> iam.PolicyStatement:
        actions = ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"]
        table = self._table_arn("coordination")
        return _allow("Coordinate", [f"dynamodb:{action}" for action in actions], table)

    def follow_runs(self) -> iam.PolicyStatement:
        """What a person's commands read; nothing of it is a single item."""
        read = [self.events_arn, f"{self.events_arn}/index/streams", self._table_arn("projections")]
        return _allow("FollowRuns", ["dynamodb:Query"], *read)

    def see_executions(self) -> iam.PolicyStatement:
        return _allow("SeeExecutions", ["states:DescribeExecution"], self._executions)

    def describe_stack(self, name: str) -> iam.PolicyStatement:
        stack = f"{self._stack_prefix}{self._settings.name(name)}/*"
        return _allow("DescribeStack", ["cloudformation:DescribeStacks"], stack)

    def project_events(self) -> iam.PolicyStatement:
        actions = ["GetItem", "Query", "PutItem", "UpdateItem"]
        table = self._table_arn("projections")
        return _allow("ProjectEvents", [f"dynamodb:{action}" for action in actions], table)

    def follow_events(self) -> iam.PolicyStatement:
        stream = self._data.event_store.events.table_stream_arn or ""
        actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        return _allow("FollowEvents", actions, stream)

    def read_artifacts(self, *prefixes: str) -> iam.PolicyStatement:
        return _allow("ReadArtifacts", ["s3:GetObject"], *self._objects(prefixes))

    def write_artifacts(self, *prefixes: str) -> iam.PolicyStatement:
        return _allow("WriteArtifacts", ["s3:PutObject"], *self._objects(prefixes))

    def delete_artifacts(self, *prefixes: str) -> iam.PolicyStatement:
        return _allow("DeleteArtifacts", ["s3:DeleteObject"], *self._objects(prefixes))

    def list_artifacts(self) -> iam.PolicyStatement:
        """Without it a missing object reads as a forbidden one."""
        return _allow("ListArtifacts", ["s3:ListBucket"], self.bucket_arn)

    def use_key(self) -> iam.PolicyStatement:
        return _allow(
            "UseKeyThroughStores",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            self._data.key.key_arn,
            conditions={
                "StringEquals": {
                    "kms:ViaService": [
                        f"dynamodb.{Aws.REGION}.amazonaws.com",
                        f"s3.{Aws.REGION}.amazonaws.com",
                    ]
                }
            },
        )

    def start_runs(self) -> iam.PolicyStatement:
        return _allow("StartRuns", ["states:StartExecution"], self.state_machine_arn)

    def look_at_runs(self) -> iam.PolicyStatement:
        actions = ["states:DescribeExecution", "states:GetExecutionHistory"]
        return _allow("LookAtRuns", actions, self._executions)

    def answer_runs(self) -> iam.PolicyStatement:
        return _allow("AnswerRuns", ["states:SendTaskSuccess"], self.state_machine_arn)

    def report_back(self) -> iam.PolicyStatement:
        """To who waits for a container: the state machine, or its fan-out, which is one of its own.

        A token is good for one task alone, and a container knows no other than its own.
        """
        actions = [f"states:SendTask{word}" for word in ("Failure", "Heartbeat", "Success")]
        machine = self.state_machine_arn
        return _allow("ReportBack", actions, machine, f"{machine}/*")

    def announce(self) -> iam.PolicyStatement:
        return _allow("Announce", ["events:PutEvents"], self._data.intake.bus.event_bus_arn)

    def tell_of_ready_plans(self) -> iam.PolicyStatement:
        """The one event that people put on the bus: what runs become is not theirs to tell."""
        kind: dict[str, object] = {"StringEquals": {"events:detail-type": PLAN_READY}}
        bus = self._data.intake.bus.event_bus_arn
        return _allow("TellOfReadyPlans", ["events:PutEvents"], bus, conditions=kind)

    def hold_leases(self, *kinds: str) -> iam.PolicyStatement:
        """Leases and what else is of these `kinds`: slots are kept under another key."""
        actions = [f"dynamodb:{action}" for action in ("GetItem", "PutItem", "UpdateItem")]
        table = self._table_arn("coordination")
        return _allow("HoldLeases", actions, table, conditions=_leading("lease", *kinds))

    def invoke(self, name: str) -> iam.PolicyStatement:
        return _allow(f"Invoke{name.title()}", ["lambda:InvokeFunction"], self.live_arn(name))

    def call_models(self) -> list[iam.PolicyStatement]:
        return call_statements(self._settings)

    def read_model_secrets(self) -> list[iam.PolicyStatement]:
        """The key of the model API and what seals passes to it: for the proxy alone."""
        return [self._read_secrets(KEY, PASS), self._use_key_for_secrets()]

    def seal_passes(self) -> list[iam.PolicyStatement]:
        """Where the model API is reached through the proxy."""
        if self._settings.provider != "anthropic":
            return []
        return [self._read_secrets(PASS), self._use_key_for_secrets()]

    def rotate_key(self) -> list[iam.PolicyStatement]:
        verbs = ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
        actions = [f"secretsmanager:{verb}" for verb in verbs]
        return [
            _allow("RotateSecret", actions, self._secret_arn(KEY)),
            self._use_key_for_secrets(),
        ]

    def _read_secrets(self, *names: str) -> iam.PolicyStatement:
        found = [self._secret_arn(name) for name in names]
        return _allow("ReadSecrets", ["secretsmanager:GetSecretValue"], *found)

    def _use_key_for_secrets(self) -> iam.PolicyStatement:
        return _allow(
            "UseKeyThroughSecrets",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            self._data.key.key_arn,
            conditions={
                "StringEquals": {"kms:ViaService": f"secretsmanager.{Aws.REGION}.amazonaws.com"}
            },
        )

    def _secret_arn(self, name: str) -> str:
        """Secrets Manager adds six characters to a secret's name."""
        here = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
        return f"arn:aws:secretsmanager:{here}:secret:{self._settings.name(name)}-??????"

    def objects_arn(self, pattern: str) -> str:
        return f"{self.bucket_arn}/{pattern}"

    def _objects(self, prefixes: tuple[str, ...]) -> list[str]:
        return [self.objects_arn(f"{prefix}*") for prefix in prefixes]

    def _table_arn(self, part: str) -> str:
        return f"{self._table_prefix}{self._settings.name(part)}"


def _allow(
    sid: str, actions: list[str], *resources: str, conditions: dict[str, object] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid, actions=actions, resources=list(resources), conditions=conditions
    )


def _leading(*patterns: str) -> dict[str, object]:
    """`ForAllValues` alone would also hold for a request that names no key."""
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(patterns)},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
