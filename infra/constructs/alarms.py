"""Alarms on what needs a person; each says in its description what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.constructs.counted import counted
from infra.constructs.findings import acknowledge

if TYPE_CHECKING:
    from aws_cdk import Duration
    from aws_cdk import aws_kms as kms

    from infra.constructs.python_function import PythonFunction
    from infra.settings import CloudSettings
    from infra.stacks.control import ControlStack
    from infra.stacks.data import DataStack

NEAR_TIMEOUT = 0.9
OLDEST_S = 900
BEHIND_MS = 300_000
RETRIES = 50


class Alarms(Construct):
    """A topic that people subscribe to, and the alarms that speak there, by five minutes."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        key: kms.IKey,
        data: DataStack,
        control: ControlStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=settings.name("alarms"),
            enforce_ssl=True,
            master_key=key,
        )
        if settings.alert_email:
            subscription = subscriptions.EmailSubscription(settings.alert_email)
            self.topic.add_subscription(cast("sns.ITopicSubscription", subscription))
            acknowledge(
                self.topic,
                ("Serverless-SNSRedrivePolicy", "Mail has no failed delivery to read again."),
            )
        self.all: list[cloudwatch.Alarm] = []
        self._watch_queues(data, control)
        self._watch_tables(data)
        self._watch_runs(control)
        self._watch_counts()
        self._watch_concurrency(control)
        for name, function in control.functions.items():
            self._watch_function(name, function)

    def _watch_queues(self, data: DataStack, control: ControlStack) -> None:
        dead = data.intake.dead_letters.metric_approximate_number_of_messages_visible
        failed = control.triggers.dead_letters.metric_approximate_number_of_messages_visible
        age = data.intake.queue.metric_approximate_age_of_oldest_message
        self._alarm("requests-dead", dead(), 1, "Requests failed; mend, then redrive them.")
        self._alarm("triggers-dead", failed(), 1, "Triggers failed; see the logs.")
        self._alarm("requests-old", age(), OLDEST_S, "Requests wait; see start and slots.")

    def _watch_tables(self, data: DataStack) -> None:
        """Projections are left to the age of what is not projected yet."""
        store = data.event_store
        for name, table in (("events", store.events), ("coordination", store.coordination)):
            for kind in ("Read", "Write"):
                throttled = table.metric(f"{kind}ThrottleEvents", statistic="Sum")
                advice = f"{kind}s of the table {name} wait; see its traffic."
                self._alarm(f"{name}-{kind.lower()}s-throttled", throttled, 1, advice)

    def _watch_counts(self) -> None:
        """What the functions count themselves; a test holds each name to one that they write."""
        for name, metric, threshold, advice in (
            ("slots-expired", "SlotsExpired", 1, "Nobody gave a slot back in time; see reap."),
            ("budget-refused", "BudgetRefusals", 1, "A run is out of money: `fanfold resume`."),
            ("model-retried", "ModelRetries", RETRIES, "The model throttles; see its quota."),
        ):
            self._alarm(name, counted(metric), threshold, advice)

    def _watch_runs(self, control: ControlStack) -> None:
        if control.supervisor is None:
            return
        machine = control.supervisor.state_machine
        for verb, metric in (
            ("failed", machine.metric_failed()),
            ("timed-out", machine.metric_timed_out()),
            ("throttled", machine.metric_throttled()),
        ):
            self._alarm(f"runs-{verb}", metric, 1, "See the execution, then `fanfold resume`.")

    def _watch_concurrency(self, control: ControlStack) -> None:
        """Functions without a reservation draw on the account's quota, and are throttled by it."""
        throttles = cloudwatch.Metric(
            namespace="AWS/Lambda", metric_name="Throttles", statistic="Sum"
        )
        self._alarm("functions-throttled", throttles, 10, "Raise the account's concurrency quota.")
        if self._settings.reserved_concurrency:
            for role, attempt in control.attempts.items():
                own = attempt.function.metric_throttles()
                self._alarm(f"attempt-{role}-throttled", own, 10, "Raise `reserved_concurrency`.")

    def _watch_function(self, name: str, function: PythonFunction) -> None:
        """Of the control functions; errors of an attempt are its own result."""
        errors = function.function.metric_errors()
        timeout_ms = cast("Duration", function.function.timeout).to_milliseconds()
        slow = function.function.metric_duration(statistic="p99")
        limit = round(timeout_ms * NEAR_TIMEOUT)
        self._alarm(f"{name}-errors", errors, 3, f"See the log of {name}.")
        self._alarm(f"{name}-slow", slow, limit, f"{name} is close to its timeout.")
        if name == "project":
            age = function.function.metric("IteratorAge", statistic="Maximum")
            self._alarm("project-behind", age, BEHIND_MS, "The views are late; see its log.")

    def _alarm(self, name: str, metric: cloudwatch.IMetric, threshold: float, advice: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            "".join(part.title() for part in name.replace("_", "-").split("-")),
            alarm_name=self._settings.name(name.replace("_", "-")),
            alarm_description=advice,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        topic = actions.SnsAction(cast("sns.ITopic", self.topic))
        alarm.add_alarm_action(cast("cloudwatch.IAlarmAction", topic))
        self.all.append(alarm)
