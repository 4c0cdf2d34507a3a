"""The state machine that carries out a run, one execution a generation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.findings import acknowledge, acknowledge_wildcards
from infra.constructs.log_group import own_log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_logs as logs

    from infra.constructs.python_function import PythonFunction
    from infra.constructs.worker_fleet import WorkerFleet
    from infra.settings import CloudSettings

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_FUNCTION = re.compile(r"\$\{(\w+)Function\}")


def placeholders(definition: str) -> set[str]:
    """The names that the definition leaves to the templates."""
    return set(_PLACEHOLDER.findall(definition))


def functions_of(definition: str) -> set[str]:
    """The functions that the definition calls, as their files are called."""
    names = _FUNCTION.findall(definition)
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in names}


def placeholder_of(function: str) -> str:
    return f"{function.title().replace('_', '')}Function"


class Supervisor(Construct):
    """A Standard state machine whose ASL stays readable in the template, with its role and log."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        definition: str,
        substitutions: Mapping[str, str],
        functions: Sequence[PythonFunction],
        fleet: WorkerFleet | None,
        boundary: iam.IManagedPolicy,
    ) -> None:
        """`functions` are all that the definition can call; without a `fleet` it starts no task."""
        super().__init__(scope, construct_id)
        self._settings = settings
        self.role = iam.Role(
            self,
            "Role",
            role_name=settings.name("run"),
            assumed_by=cast("iam.IPrincipal", iam.ServicePrincipal("states.amazonaws.com")),
            permissions_boundary=boundary,
        )
        log = own_log(
            self, "Log", name=f"/aws/vendedlogs/states/{settings.name('run')}", settings=settings
        )
        self.state_machine = sfn.StateMachine(
            self,
            "Run",
            state_machine_name=settings.name("run"),
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(definition),
            definition_substitutions=dict(substitutions),
            role=cast("iam.IRole", self.role),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=cast("logs.ILogGroup", log),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        statements = self._statements(functions, fleet)
        for statement in statements:
            self.role.add_to_policy(statement)
        acknowledge_wildcards(
            self,
            statements,
            "Versions of its own functions that live runs began on, revisions of its own task "
            "definitions, its own tasks and executions.",
        )
        acknowledge(
            self,
            (
                "AwsSolutions-IAM5[Resource::*]",
                "The delivery of logs and the sampling of traces name no resource.",
            ),
        )

    def _statements(
        self, functions: Sequence[PythonFunction], fleet: WorkerFleet | None
    ) -> list[iam.PolicyStatement]:
        here, name = f"{Aws.REGION}:{Aws.ACCOUNT_ID}", self._settings.name("run")
        statements = [
            iam.PolicyStatement(
                sid="CallFunctions",
                actions=["lambda:InvokeFunction"],
                resources=[function.every_version_arn for function in functions],
            ),
            iam.PolicyStatement(
                sid="FanOut",
                actions=["states:StartExecution"],
                resources=[f"arn:aws:states:{here}:stateMachine:{name}"],
            ),
            iam.PolicyStatement(
                sid="FollowFanOut",
                actions=["states:DescribeExecution", "states:StopExecution"],
                resources=[f"arn:aws:states:{here}:execution:{name}/*"],
            ),
        ]
        if fleet is None:
            return statements
        rule = "StepFunctionsGetEventsForECSTaskRule"
        return [
            *statements,
            *fleet.run_statements(),
            iam.PolicyStatement(
                sid="LearnOfTasks",
                actions=["events:DescribeRule", "events:PutRule", "events:PutTargets"],
                resources=[f"arn:aws:events:{here}:rule/{rule}"],
            ),
        ]
