"""Unit checks without a shell: on the attempt's tree, within its time, by whoever runs checks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.agent.exits import DeadlineNear, Halted, OutOfTime
from fanfold.agent.timing import Timing
from fanfold.errors import CloudUnavailable, Stopped
from fanfold.ports import CommandResult
from fanfold.run.attempt import Exit
from fanfold.run.events import CheckSpec
from fanfold.steps.unit_checks import PAUSE_S, TRIES, UnitChecks
from tests.fakes.memory import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BASE, TREE = "b" * 40, "c" * 40
GREEN = CommandResult(0, "fine", 1.0)


class Checks:
    """Takes so many seconds, and answers as told."""

    def __init__(self, clock: ManualClock, *answers: Any, takes_s: float = 0.0) -> None:
        self._clock, self._answers, self._takes_s = clock, list(answers), takes_s
        self.asked: list[tuple[str, list[tuple[str, float]], tuple[str, ...]]] = []

    def run(
        self,
        tree: str,
        commands: Sequence[tuple[str, float]],
        *,
        hide: Sequence[str] = (),
        stop: Callable[[], bool] | None = None,
        so_far: Callable[[Sequence[CommandResult]], None] | None = None,
    ) -> list[CommandResult]:
        self.asked.append((tree, list(commands), tuple(hide)))
        self._clock.advance(self._takes_s)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer] * len(commands)


def unit_checks(
    clock: ManualClock,
    checks: Checks,
    *,
    tree: str = TREE,
    minutes: float = 60.0,
    escalate_after_s: float | None = None,
    claim: Callable[[], Exit | None] = lambda: None,
) -> UnitChecks:
    secrets = SimpleNamespace(redact=str, find=list)
    context: Any = SimpleNamespace(shell=False, base_tree=BASE, context_deny=("keys/**",))
    workspace: Any = SimpleNamespace(tree=lambda: tree)
    wiring: Any = SimpleNamespace(checks=checks, secrets=secrets)
    specs = [CheckSpec("make lint", timeout_s=600.0), CheckSpec("make unit", required=False)]
    timing = Timing(clock, minutes, escalate_after_s)
    return UnitChecks(specs, context, workspace, wiring, claim, timing)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_they_run_on_the_attempts_tree_without_what_is_hidden(clock: ManualClock) -> None:
    checks = Checks(clock, GREEN)
    first, second = unit_checks(clock, checks)()
    assert (first.command, first.ok, first.required) == ("make lint", True, True)
    assert (second.command, second.required) == ("make unit", False)
    assert checks.asked == [(TREE, [("make lint", 600.0), ("make unit", 600.0)], ("keys/**",))]


def test_what_changed_nothing_is_not_checked(clock: ManualClock) -> None:
    checks = Checks(clock)
    assert unit_checks(clock, checks, tree=BASE)() == ()
    assert checks.asked == []


def test_no_check_gets_more_time_than_the_attempt_has_left(clock: ManualClock) -> None:
    checks = Checks(clock, GREEN)
    opened = unit_checks(clock, checks, escalate_after_s=400.0)
    clock.advance(150.0)
    opened()
    assert [seconds for _, seconds in checks.asked[0][1]] == [250.0, 250.0]


@pytest.mark.parametrize(
    ("limits", "error"),
    [({"escalate_after_s": 100.0}, DeadlineNear), ({"minutes": 100 / 60}, OutOfTime)],
)
def test_a_check_that_the_deadline_cuts_off_is_not_red(
    clock: ManualClock, limits: dict[str, Any], error: type[Exception]
) -> None:
    late = CommandResult(124, "", 100.0, timed_out=True)
    with pytest.raises(error):
        unit_checks(clock, Checks(clock, late, takes_s=100.0), **limits)()


def test_a_check_that_is_late_by_its_own_limit_is_red(clock: ManualClock) -> None:
    late = CommandResult(124, "slow", 600.0, timed_out=True)
    (first, _) = unit_checks(clock, Checks(clock, late, takes_s=600.0))()
    assert not first.ok


def test_a_place_without_room_is_asked_again(clock: ManualClock) -> None:
    busy = [CloudUnavailable("throttled")] * (TRIES - 1)
    checks = Checks(clock, *busy, GREEN)
    begun = clock.monotonic()
    assert all(result.ok for result in unit_checks(clock, checks)())
    assert clock.monotonic() - begun == PAUSE_S * (TRIES - 1)
    with pytest.raises(CloudUnavailable):
        unit_checks(clock, Checks(clock, *busy, *busy))()


def test_a_cancelled_attempt_waits_for_no_check(clock: ManualClock) -> None:
    stopped = Checks(clock, Stopped("stopped"))
    with pytest.raises(Halted) as halted:
        unit_checks(clock, stopped, claim=lambda: Exit.CANCELLED)()
    assert halted.value.exit is Exit.CANCELLED
