"""One page about all runs: how many, how they went, what they cost, what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.settings import CloudSettings
    from infra.stacks.control import ControlStack
    from infra.stacks.data import DataStack

NAMESPACE = "fanfold"
HOUR = Duration.hours(1)
WIDTH = 8


class Dashboard(Construct):
    """Graphs of the last week, and the alarms above them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        data: DataStack,
        control: ControlStack,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        self._roles = sorted(control.attempts)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=f"{settings.project}-{settings.stage}",
            default_interval=Duration.days(7),
        )
        alarm_list = cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24, height=4)
        self._add(alarm_list)
        self._add(
            _graph("Runs", self._runs(control)),
            _graph("Attempts", self._by_role("Attempts")),
            _graph("Attempts without a result", self._by_role("AttemptsWithoutResult")),
        )
        self._add(
            _graph("Dollars", self._by_role("Dollars")),
            _graph("Stuck in loops", self._by_role("Loops")),
            _graph("Requests", self._requests(data)),
        )
        functions = list(control.functions.values())
        self._add(
            _graph("Errors", [f.function.metric_errors(period=HOUR) for f in functions]),
            _graph("Throttles", [f.function.metric_throttles(period=HOUR) for f in functions]),
            _graph("Duration", [f.function.metric_duration(period=HOUR) for f in functions]),
        )

    def _add(self, *widgets: cloudwatch.ConcreteWidget) -> None:
        self.dashboard.add_widgets(*(cast("cloudwatch.IWidget", widget) for widget in widgets))

    def _by_role(self, name: str) -> list[cloudwatch.IMetric]:
        return [
            cloudwatch.Metric(
                namespace=NAMESPACE,
                metric_name=name,
                dimensions_map={"service": NAMESPACE, "agent": role},
                label=role,
                statistic="Sum",
                period=HOUR,
            )
            for role in self._roles
        ]

    def _runs(self, control: ControlStack) -> list[cloudwatch.IMetric]:
        if control.supervisor is None:
            return []
        machine = control.supervisor.state_machine
        return [
            machine.metric_started(period=HOUR),
            machine.metric_succeeded(period=HOUR),
            machine.metric_failed(period=HOUR),
            machine.metric_timed_out(period=HOUR),
            machine.metric_aborted(period=HOUR),
        ]

    def _requests(self, data: DataStack) -> list[cloudwatch.IMetric]:
        queue, dead = data.intake.queue, data.intake.dead_letters
        return [
            queue.metric_approximate_number_of_messages_visible(period=HOUR, label="waiting"),
            dead.metric_approximate_number_of_messages_visible(period=HOUR, label="dead"),
        ]


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=WIDTH, height=6)
