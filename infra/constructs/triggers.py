"""What sets functions going: a request, the end of an execution, new events, and the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.findings import acknowledge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.constructs.python_function import PythonFunction
    from infra.settings import CloudSettings
    from infra.stacks.data import DataStack

BATCH = 10
STARTERS = 2
EVERY = Duration.minutes(5)
OVER = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]


class Triggers(Construct):
    """Each function that exists is set going by its own; every trigger may come twice."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        functions: Mapping[str, PythonFunction],
        data: DataStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._functions, self._data = settings, functions, data
        self.dead_letters = self._dead_letters()
        if "start" in functions:
            self._start_on_requests(functions["start"])
        for name in ("promote", "reap"):
            if name in functions:
                self._run_on_the_clock(name)
        if "reap" in functions:
            self._reap_what_ended()
        if "project" in functions:
            self._project_new_events(functions["project"])

    def _dead_letters(self) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=self._settings.name("triggers-dead"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        acknowledge(
            queue,
            ("Serverless-SQSRedrivePolicy", "It is where failed triggers end."),
            ("AwsSolutions-SQS3", "It is where failed triggers end."),
        )
        return queue

    def _start_on_requests(self, start: PythonFunction) -> None:
        source = sources.SqsEventSource(
            cast("sqs.IQueue", self._data.intake.queue),
            batch_size=BATCH,
            max_concurrency=STARTERS,
            report_batch_item_failures=True,
        )
        start.live.add_event_source(cast("lambda_.IEventSource", source))
        acknowledge(
            start,
            (
                "Serverless-LambdaEventSourceMappingDestination",
                "A queue has no destination; its redrive policy leads to the dead letters.",
            ),
        )

    def _project_new_events(self, project: PythonFunction) -> None:
        """A mapping of its own: the CDK's event source would let it use the key for anything."""
        dead_letters = sources.SqsDlq(cast("sqs.IQueue", self.dead_letters))
        project.live.add_event_source_mapping(
            "NewEvents",
            event_source_arn=self._data.event_store.events.table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=100,
            bisect_batch_on_error=True,
            report_batch_item_failures=True,
            retry_attempts=10,
            on_failure=cast("lambda_.IEventSourceDlq", dead_letters),
        )

    def _run_on_the_clock(self, name: str) -> None:
        events.Rule(
            self,
            f"{name.title()}Schedule",
            rule_name=self._settings.name(f"{name}-schedule"),
            description=f"Runs {name} on a schedule, for what no event came for",
            schedule=events.Schedule.rate(EVERY),
            targets=[self._target(name)],
        )

    def _reap_what_ended(self) -> None:
        machine = self._settings.name("run")
        events.Rule(
            self,
            "RunEnded",
            rule_name=self._settings.name("run-ended"),
            description="An execution has ended: its slot comes free",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "status": OVER,
                    "stateMachineArn": [{"suffix": f":stateMachine:{machine}"}],
                },
            ),
            targets=[self._target("reap")],
        )

    def _target(self, name: str) -> events.IRuleTarget:
        target = targets.LambdaFunction(
            cast("lambda_.IFunction", self._functions[name].live),
            dead_letter_queue=cast("sqs.IQueue", self.dead_letters),
            max_event_age=Duration.hours(1),
            retry_attempts=3,
        )
        return cast("events.IRuleTarget", target)
