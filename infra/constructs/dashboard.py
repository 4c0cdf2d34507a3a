"""One page about all runs: how many, how they went, what they cost, what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.constructs.counted import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.constructs.python_function import PythonFunction
    from infra.settings import CloudSettings
    from infra.stacks.control import ControlStack
    from infra.stacks.data import DataStack

HOUR = Duration.hours(1)
WIDTH = 6
ENDS_OF_RUNS = (
    *("RunsCompleted", "RunsIncomplete", "RunsFailed", "RunsCancelled"),
    *("RunsQueued", "RunsRejected"),
)
ENDS_OF_ATTEMPTS = (
    *("AttemptsWithResult", "AttemptsGivenUp", "AttemptsStuck", "AttemptsOutOfBudget"),
    *("AttemptsOutOfTime", "AttemptsCutOff", "AttemptsWithoutModel", "AttemptsCrashed"),
)
TOKENS = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens")
SLOTS = ("SlotsTaken", "SlotsExpired", "RunsWaiting")


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
            _graph("Ends of runs", _counts(ENDS_OF_RUNS)),
            _graph("Attempts", self._by_role("Attempts")),
            _graph("Ends of attempts", self._by_end()),
        )
        self._add(
            _graph("Dollars", self._by_role("Dollars")),
            _graph("Tokens", self._tokens()),
            _graph("Loops: told, stopped", self._by_role("LoopsNudged", "LoopsStopped")),
            _graph("Model calls tried again", self._by_role("ModelRetries")),
        )
        self._add(
            _graph("Requests", self._requests(data)),
            _graph("Slots", _counts(SLOTS, "Maximum")),
            _graph("What waits for a person or money", _counts(("GatesOpened", "BudgetRefusals"))),
            _graph("Tables throttled", _throttles(data)),
        )
        functions = [*control.functions.values(), *control.attempts.values()]
        self._add(
            _graph("Errors", [f.function.metric_errors(period=HOUR) for f in functions]),
            _graph("Throttles", [f.function.metric_throttles(period=HOUR) for f in functions]),
            _graph("Duration", [f.function.metric_duration(period=HOUR) for f in functions]),
            _graph("At once", [_at_once(f) for f in functions], "Maximum"),
        )

    def _add(self, *widgets: cloudwatch.ConcreteWidget) -> None:
        self.dashboard.add_widgets(*(cast("cloudwatch.IWidget", widget) for widget in widgets))

    def _by_role(self, *names: str) -> list[cloudwatch.IMetric]:
        return [
            counted(name, agent=role, label=f"{role} {name}" if names[1:] else role, period=HOUR)
            for name in names
            for role in self._roles
        ]

    def _by_end(self) -> list[cloudwatch.IMetric]:
        return [_over(self._roles, name) for name in ENDS_OF_ATTEMPTS]

    def _tokens(self) -> list[cloudwatch.IMetric]:
        return [_over(self._roles, name) for name in TOKENS]

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


def _graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], statistic: str = ""
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title, left=metrics, width=WIDTH, height=6, statistic=statistic or None
    )


def _counts(names: Sequence[str], statistic: str = "Sum") -> list[cloudwatch.IMetric]:
    return [counted(name, label=name, statistic=statistic, period=HOUR) for name in names]


def _over(roles: Sequence[str], name: str) -> cloudwatch.IMetric:
    """The sum over all kinds of agents."""
    parts = {f"{role}_{name}".lower(): counted(name, agent=role) for role in roles}
    return cloudwatch.MathExpression(
        expression=f"SUM([{', '.join(parts)}])", using_metrics={**parts}, label=name, period=HOUR
    )


def _throttles(data: DataStack) -> list[cloudwatch.IMetric]:
    store = data.event_store
    return [
        table.metric(f"{kind}ThrottleEvents", statistic="Sum", period=HOUR)
        for table in (store.events, store.projections, store.coordination)
        for kind in ("Read", "Write")
    ]


def _at_once(function: PythonFunction) -> cloudwatch.IMetric:
    return function.function.metric("ConcurrentExecutions", statistic="Maximum", period=HOUR)
