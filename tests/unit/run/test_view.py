"""The view of a run: one word for how it stands, its exit code, and what to type next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from fanfold.run import events as e
from fanfold.run.attempt import CheckResult, Exit, Purpose
from fanfold.run.evolve import fold
from fanfold.run.view import exit_code, next_commands, outcome_of, run_view
from fanfold.steps.report import render_report

if TYPE_CHECKING:
    from fanfold.run.state import RunState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REQUESTED = e.RunRequested("abc", "plan.md", "0" * 64, "c" * 40)
TASKS = (
    e.TaskSpec("1.1", "Do", "1", "work", "open", 3),
    e.TaskSpec("1.2", "Look", "1", "gate", "open", 4),
    e.TaskSpec("1.3", "Old", "1", "work", "done", 5),
)
UNITS = (
    e.UnitSpec("1.1", ("1.1",), order=0, title="Do"),
    e.UnitSpec("1.2", ("1.2",), ("1.1",), "gate", 1, "Look", covers=("1.1",)),
)
CHECK = CheckResult("make test", ok=True, baseline_ok=True)


def _admitted(*checks: e.CheckSpec) -> e.RunAdmitted:
    return e.RunAdmitted("t0", UNITS, TASKS, e.RunLimits(cap=5_000_000), checks)


def _attempt(outcome: Exit = Exit.SUBMITTED, detail: str = "") -> list[e.EventData]:
    return [
        e.AttemptDispatched(
            "1.1.1", "1.1", 1, "implementer", Purpose.WORK, "local", 1_000_000, "t0", 1
        ),
        e.AttemptFinished("1.1.1", "1.1", outcome, 250_000, "t1", 1, "p", detail=detail),
    ]


MERGED = e.MergeCompleted(1, "t0", "t1", (e.Applied("1.1.1", "1.1", "t1"),))
WRITTEN = e.PlanWrittenBack("fanfold/abc", "d" * 40, "t2", "t1", {"1.1": "e" * 40}, ("1.1",))


def _state(*events: e.EventData) -> RunState:
    return fold(e.Recorded(n, NOW, data) for n, data in enumerate(events, 1))


def test_a_waiting_run_names_the_gate_and_both_answers() -> None:
    state = _state(
        REQUESTED,
        _admitted(),
        *_attempt(),
        MERGED,
        WRITTEN,
        e.ApprovalRequested("1.2", "t1", "t0"),
    )
    view = run_view(state)
    assert (view["outcome"], exit_code(state)) == ("waiting", 3)
    (gate,) = view["gates"]
    assert (gate["id"], gate["state"], gate["diff"]) == ("1.2", "waiting", "git diff t0 t1")
    assert gate["approve"] == "fanfold approve abc 1.2"
    assert [t["state"] for t in view["tasks"]] == ["merged", "waiting", "done"]
    assert view["next"][0] == "fanfold approve abc 1.2"
    assert any(c.startswith("fanfold reject abc 1.2") for c in view["next"])


def test_a_completed_run_without_checks_is_no_success() -> None:
    state = _state(
        REQUESTED,
        _admitted(),
        *_attempt(),
        MERGED,
        e.ApprovalRequested("1.2", "t1", "t0"),
        e.ApprovalGranted("1.2"),
        WRITTEN,
        e.RunCompleted(verified=False),
    )
    assert (outcome_of(state), exit_code(state)) == ("completed", 1)
    assert "NO: no check is configured" in render_report(state, state.outcome)


def test_a_completed_run_with_green_checks_is_one() -> None:
    state = _state(
        REQUESTED,
        _admitted(e.CheckSpec("make test")),
        e.VerificationPassed(1, "t0", (CHECK,), baseline=True),
        *_attempt(),
        MERGED,
        e.VerificationPassed(2, "t1", (CHECK,)),
        e.ApprovalRequested("1.2", "t1", "t0"),
        e.ApprovalGranted("1.2"),
        WRITTEN,
        e.RunCompleted(verified=True),
    )
    view = run_view(state)
    assert (view["verified"], exit_code(state)) == (True, 0)
    assert view["next"] == ["fanfold apply abc"]
    assert view["cost_usd"] == "0.25"
    assert view["cap_usd"] == "5.00"


@pytest.mark.parametrize(
    ("outcome", "reason"), [(Exit.BLOCKED, "blocked"), (Exit.BUDGET, "budget")]
)
def test_a_lost_task_has_a_reason_and_its_dependents_say_so(outcome: Exit, reason: str) -> None:
    state = _state(REQUESTED, _admitted(), *_attempt(outcome), e.RunIncomplete(verified=False))
    tasks = {t["id"]: (t["state"], t["reason"]) for t in run_view(state)["tasks"]}
    assert tasks["1.1"] == ("failed", reason)
    assert tasks["1.2"] == ("skipped", "dependency_failed")
    assert exit_code(state) == 1
    resumable = any(c.startswith("fanfold resume abc --budget") for c in next_commands(state))
    assert resumable == (reason == "budget")


def test_a_run_that_ended_outside_can_be_resumed() -> None:
    state = _state(
        REQUESTED, _admitted(), *_attempt(Exit.MODEL_DENIED), e.RunFailed("model_denied")
    )
    assert exit_code(state) == 5
    assert next_commands(state) == ["fanfold resume abc"]


def test_a_run_under_way_says_so() -> None:
    state = _state(REQUESTED, _admitted())
    assert run_view(state)["outcome"] == "running"
    assert run_view(state, interrupted=True)["outcome"] == "interrupted"
