"""The table of signals: nudge, then stop."""

from __future__ import annotations

from typing import Any

import pytest

from fanfold.run.circles import TABLE, CircleDetector, Nudge, Stop
from fanfold.run.events import ToolCalled


def call(name: str = "read", arguments: str = "a", result: str = "r", **changes: Any) -> ToolCalled:
    fields: dict[str, Any] = {"allowed": True, "why": "", "ok": True, "duration_ms": 1, **changes}
    return ToolCalled(name=name, arguments=arguments, result=result, **fields)


def verdicts(calls: list[ToolCalled]) -> list[Nudge | Stop]:
    detector = CircleDetector()
    return [v for c in calls if (v := detector.observe(c)) is not None]


@pytest.mark.parametrize(
    ("signal", "calls"),
    [
        ("same_call", [call()] * 5),
        ("same_error", [call(arguments=str(i), ok=False) for i in range(4)]),
        ("alternation", [call(), call("grep")] * 4),
        (
            "failed_edits",
            [
                call("edit", str(i), str(i), ok=False, read=("f",))
                if i % 2
                else call("read", str(i), str(i))
                for i in range(12)
            ],
        ),
    ],
)
def test_nudges_then_stops_at_the_numbers_of_the_table(
    signal: str, calls: list[ToolCalled]
) -> None:
    nudge, stop = TABLE[signal]
    assert verdicts(calls) == [Nudge(signal, nudge), Stop(signal, stop)]


def test_neither_a_change_nor_a_new_read_is_no_progress() -> None:
    looks = [call("read", str(i % 5), str(i % 5)) for i in range(5 + 25)]
    assert verdicts(looks) == [Nudge("no_progress", 15), Stop("no_progress", 25)]


def test_a_change_of_the_tree_is_progress() -> None:
    looks = [call("read", str(i % 5), str(i % 5)) for i in range(19)]
    wrote = call("write", "w", "w", written=("f",))
    assert verdicts([*looks, wrote, *looks[:14]]) == []


def test_the_same_call_with_another_result_is_no_circle() -> None:
    assert verdicts([call("bash", "make test", str(i)) for i in range(14)]) == []


def test_four_equal_calls_are_only_nudged() -> None:
    assert verdicts([call()] * 4) == [Nudge("same_call", 3)]


def test_a_success_clears_errors_and_failed_edits() -> None:
    wrong = [call("edit", str(i), "e", ok=False, read=("f",)) for i in range(2)]
    right = call("edit", "x", "y", written=("f",))
    assert verdicts([*wrong, right, *wrong, right, *wrong]) == []


def test_denied_edits_are_no_failed_edits() -> None:
    denied = [call("edit", str(i), str(i), ok=False, allowed=False) for i in range(8)]
    assert verdicts(denied) == []


def test_waiting_is_never_held_against_it() -> None:
    detector = CircleDetector()
    assert [detector.observe(call("bash", waiting=True)) for _ in range(30)] == [None] * 30


def test_alternation_needs_an_unbroken_row() -> None:
    row = [call(), call("grep")] * 2
    assert verdicts([*row, call("glob"), *row]) == []
