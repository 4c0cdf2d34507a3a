"""The way in: a request manifest that appears becomes a message that waits to be started."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_s3 as s3

    from infra.settings import CloudSettings

MAX_RECEIVES = 5
PLAN_READY = "fanfold.plan.ready"
VISIBILITY_FACTOR = 6


class Intake(Construct):
    """Bus, queue and dead letters; S3 announces manifests on the default bus and no other."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        artifacts: s3.IBucket,
        request_prefix: str,
        start_timeout: Duration,
    ) -> None:
        """`start_timeout` is that of the function that will read the queue."""
        super().__init__(scope, construct_id)
        self.bus = events.EventBus(
            self,
            "Bus",
            event_bus_name=f"{settings.project}-{settings.stage}",
            description="Plans that became ready, and runs that ended or wait for a person",
        )
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=settings.name("requests-dead"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        Validations.of(self.dead_letters).acknowledge(
            Acknowledgment(
                id="Serverless-SQSRedrivePolicy", reason="It is where the redrive policy leads."
            )
        )
        self.queue = sqs.Queue(
            self,
            "Requests",
            queue_name=settings.name("requests"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(4),
            visibility_timeout=Duration.seconds(VISIBILITY_FACTOR * start_timeout.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=MAX_RECEIVES
            ),
        )
        self.rule = events.Rule(
            self,
            "RequestCreated",
            rule_name=settings.name("request-created"),
            description="A request manifest was written",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [artifacts.bucket_name]},
                    "object": {"key": [{"prefix": request_prefix}]},
                },
            ),
        )
        self.ready = events.Rule(
            self,
            "PlanReady",
            rule_name=settings.name("plan-ready"),
            description="A plan may be run, as docs/guides/events.md describes",
            event_bus=cast("events.IEventBus", self.bus),
            event_pattern=events.EventPattern(detail_type=[PLAN_READY]),
        )
        for rule in (self.rule, self.ready):
            target = targets.SqsQueue(
                self.queue, dead_letter_queue=self.dead_letters, max_event_age=Duration.hours(24)
            )
            # jsii names a parameter of `bind` differently in the class and in its interface.
            rule.add_target(cast("events.IRuleTarget", target))
