"""When what attempts share must stay in the prompt cache for an hour."""

from __future__ import annotations

import pytest

from fanfold.run.attempt import CheckResult
from fanfold.run.events import UnitSpec
from fanfold.run.state import RunState, UnitState, UnitStatus

SLOW = CheckResult("make check", ok=True, duration_s=200.0)


@pytest.mark.parametrize(
    ("checks", "status", "pauses"),
    [
        ((), UnitStatus.OPEN, False),
        ((SLOW,), UnitStatus.OPEN, False),
        ((SLOW, SLOW), UnitStatus.OPEN, True),
        ((SLOW, SLOW), UnitStatus.RUNNING, False),
    ],
)
def test_long_checks_before_another_wave_are_a_pause(
    checks: tuple[CheckResult, ...], status: UnitStatus, pauses: bool
) -> None:
    units = {"a": UnitState(UnitSpec("a", ("a",)), status=status)}
    assert RunState(units=units, baseline=checks).pauses_long is pauses
