"""What `fanfold plan` shows."""

from __future__ import annotations

import json

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
