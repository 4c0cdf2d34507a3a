"""What `fanfold plan` shows."""

from __future__ import annotations

import json

from fanfold.plan import formats
from fanfold.plan.conductor import parse
from fanfold.plan.graph import build
from fanfold.plan.view import plan_json, plan_text

TEXT = b"""\
# Plan: Greeting

## Phase 1: Parser
- [x] Task: Begin 0a1b2c3
- [ ] Task: Parse
  <!-- files: src/parse.py -->
- [ ] Task: Conductor - User Manual Verification 'Parser' (Protocol in workflow.md)
- [!] Task: Deploy to production
- [ ] Task: Tidy
"""


def test_json_has_the_promised_shape() -> None:
    plan = parse(TEXT, "conductor/tracks/t/plan.md")
    shown = plan_json(plan, build(plan))
    assert json.loads(json.dumps(shown)) == shown
    assert list(shown) == [
        "schema",
        "plan",
        "sha256",
        "tasks",
        "units",
        "waves",
        "speedup",
        "warnings",
    ]
    assert shown["tasks"][1] == {
        "id": "1.2",
        "title": "Parse",
        "phase": "1",
        "state": "open",
        "kind": "work",
        "unit": "1.2",
        "needs": ["1.1"],
        "writes": ["src/parse.py"],
        "line": 5,
    }
    assert [task["state"] for task in shown["tasks"]] == ["done", "open", "open", "blocked", "open"]
    assert [task["unit"] for task in shown["tasks"]] == [None, "1.2", "1.3", None, None]
    assert shown["units"] == [{"id": "1.2", "tasks": ["1.2"]}, {"id": "1.3", "tasks": ["1.3"]}]
    assert shown["waves"] == [["1.2"], ["1.3"]]
    assert [(w["line"], w["code"]) for w in shown["warnings"]] == [(8, "blocked")]


def test_text_tells_tasks_waves_gates_and_reasons() -> None:
    plan = parse(TEXT, "conductor/tracks/t/plan.md")
    shown = plan_text(plan, build(plan))
    for words in (
        "[x] 1.1  Begin",
        "[!] 1.4  Deploy to production  (needs deploy)",
        "[ ] 1.5  Tidy  (blocked)",
        "2 units in 2 waves",
        "Gate 1.3: a person looks at 1.2",
        "Critical path: 1.2",
        "conductor/tracks/t/plan.md:8: 1.4 is blocked",
    ):
        assert words in shown


def test_text_of_a_finished_plan_says_so() -> None:
    plan = parse(b"- [x] a\n")
    assert "Nothing to do" in plan_text(plan, build(plan))


def test_what_is_marked_to_run_side_by_side_is_not_said_to_have_no_sign() -> None:
    text = b"""\
# Tasks

## Phase 1: Setup
- [ ] T001 Create the project
- [ ] T002 [P] Add a linter in lint.toml
- [ ] T003 [P] Add a formatter in format.toml

## Phase 2: Work
- [ ] T004 [P] Write src/a.py
- [ ] T005 [P] Write src/b.py
- [ ] T006 Join them
"""
    plan = formats.parse(text, "specs/001-x/tasks.md")
    shown = plan_text(plan, build(plan, unit="task")).split("What is serial, and why\n")[1]
    reasons = dict(
        line.strip().split(": ", 1)[::-1] for line in shown.split("\n\n")[0].splitlines()
    )
    assert reasons["side by side, but after T001 in the chain"] == "T002, T003"
    assert reasons["side by side, but after phase 1"] == "T004, T005"
    assert reasons["the plan's order; no sign that they may run side by side"] == "T006"


def test_open_work_below_what_is_marked_done_is_told() -> None:
    plan = parse(b"## A\n- [x] a\n    - [ ] b\n    - [x] c\n- [x] d\n- [ ] e\n", "plan.md")
    (warning,) = build(plan).warnings
    assert (warning.line, warning.code) == (2, "open_below_done")
    assert "1 open sub-task(s)" in warning.text
