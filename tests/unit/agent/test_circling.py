"""Circles across the turns of an attempt, and across attempts that go on from one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.ports import CommandResult
from fanfold.run.attempt import Exit, Metrics, Purpose
from fanfold.run.circles import TABLE, Circles
from fanfold.run.events import AttemptDispatched, LoopNudged, LoopStopped, UnitSpec
from fanfold.run.outcome import carried_on
from fanfold.run.state import Try, UnitState
from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import DONE, Attempt, a_context, reply, say, use

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK = reply(use("read", file_path="a.py"))
RED = CommandResult(1, "1 failed", 0.1)
GREEN = CommandResult(0, "1 passed", 0.1)


def test_a_good_run_that_repeats_itself_four_times_is_not_stopped(attempt: Attempt) -> None:
    """The shape of a public run that was solved: the same red test again and again, then a mend."""
    runs: list[CommandResult] = [RED, RED, RED, RED, GREEN]
    attempt.workspace = MemoryWorkspace({"a.py": "one\n"}, lambda _command, _files: runs.pop(0))
    attempt.context = a_context(shell=True)
    test = reply(say("Let me run it once more."), use("bash", command="pytest -q"))
    mend = reply(use("edit", file_path="a.py", old_string="one", new_string="two"))
    report = attempt.run(LOOK, test, test, test, test, mend, test, DONE)
    assert report.exit is Exit.SUBMITTED
    assert [e.signal for e in attempt.events() if isinstance(e, LoopNudged)] == ["same_call"]


def test_counts_go_on_where_the_attempt_before_broke_off(attempt: Attempt) -> None:
    attempt.keep_going = _stop_after(9)
    attempt.run(*[LOOK] * 4)
    begun = attempt.fold().circles
    assert (begun.same_count, begun.nudged) == (4, ("same_call",))
    after = Attempt(context=a_context(circles=begun))
    report = after.run(LOOK)
    assert (report.exit, report.detail[:19]) == (Exit.STUCK, "same_call, 5 times;")
    assert [e.count for e in after.events() if isinstance(e, LoopStopped)] == [5]


def test_whoever_goes_on_may_look_again(attempt: Attempt) -> None:
    """A new conversation knows nothing of what the one before has read."""
    files = {f"{n}.py": f"{n}\n" for n in range(20)}
    attempt.workspace = MemoryWorkspace(files)
    attempt.context = a_context(circles=Circles(idle=TABLE["no_progress"][1] - 1))
    looks = [reply(use("read", f"r{n}", file_path=f"{n}.py")) for n in range(20)]
    assert attempt.run(*looks, DONE).exit is Exit.SUBMITTED


@pytest.mark.parametrize(
    ("outcome", "purpose", "carried"),
    [
        (Exit.LOST, Purpose.WORK, True),
        (Exit.ESCALATE, Purpose.WORK, True),
        (Exit.INTERRUPTED, Purpose.WORK, True),
        (Exit.STEPS, Purpose.WORK, True),
        (Exit.STUCK, Purpose.WORK, False),
        (Exit.SUBMITTED, Purpose.WORK, False),
        (Exit.LOST, Purpose.REPAIR, False),
    ],
)
def test_who_starts_over_counts_anew(outcome: Exit, purpose: Purpose, carried: bool) -> None:
    circles = Circles(idle=7)
    first, second = (_dispatched(n, purpose if n == 1 else Purpose.WORK) for n in (1, 2))
    tries = (Try(first, outcome=outcome, circles=circles), Try(second))
    unit = UnitState(UnitSpec("a", ("a",)), tries=tries)
    assert carried_on(unit, second) == (circles if carried else Circles())


def test_the_stream_tells_what_an_attempt_took(attempt: Attempt) -> None:
    denied = reply(use("bash", command="ls"))
    missing = reply(use("read", file_path="gone.py"))
    report = attempt.run(LOOK, LOOK, LOOK, missing, denied, DONE)
    assert report.metrics == attempt.fold().metrics
    assert report.metrics == Metrics(
        steps=6,
        tool_calls=6,
        tool_errors=2,
        denied=1,
        repeats=2,
        nudges=1,
        usage=report.usage,
    )
    assert report.metrics.tokens_a_step == 100


def _dispatched(number: int, purpose: Purpose) -> AttemptDispatched:
    return AttemptDispatched(
        f"a.{number}", "a", number, "implementer", purpose, "local", 1, "base", 1
    )


def _stop_after(asked: int) -> Callable[[], Exit | None]:
    answers = iter([None] * (asked - 1))
    return lambda: next(answers, Exit.ESCALATE)
