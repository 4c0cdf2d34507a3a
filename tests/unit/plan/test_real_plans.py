"""The real plans under ../shared: all are read, marked and grouped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from fanfold.plan.conductor import parse
from fanfold.plan.graph import build
from fanfold.plan.model import Kind, Mark, Plan, TaskState
from fanfold.plan.write_back import splice

DATA = Path(__file__).parents[4] / "shared" / "data" / "conductor"
PLANS = sorted(DATA.glob("**/plan.md"))

pytestmark = pytest.mark.skipif(not PLANS, reason="no real plans beside the repository")


def load(path: Path) -> Plan:
    return parse(path.read_bytes(), str(path.relative_to(DATA)))


def test_every_real_plan_is_read() -> None:
    assert len(PLANS) == 63
    assert all(load(path).tasks for path in PLANS)


def test_every_real_plan_becomes_a_graph() -> None:
    for path in PLANS:
        plan = load(path)
        for unit in ("auto", "task", "phase"):
            graph = build(plan, unit=unit)
            grouped = [task for unit_ in graph.units for task in unit_.tasks]
            unfinished = [
                task.id
                for task in plan.tasks
                if task.state in (TaskState.OPEN, TaskState.IN_PROGRESS)
            ]
            assert grouped == unfinished


@pytest.mark.parametrize("state", [TaskState.DONE, TaskState.IN_PROGRESS, TaskState.OPEN])
def test_marks_of_real_plans_come_back_byte_for_byte(state: TaskState) -> None:
    for path in PLANS:
        plan = load(path)
        sha = "0a1b2c3" if state is TaskState.DONE else None
        marked = splice(plan.data, plan, [Mark(task.id, state, sha) for task in plan.tasks])
        assert len(marked.splitlines()) == len(plan.data.splitlines())
        again = parse(marked, plan.path)
        assert {task.state for task in again.tasks} == {state}
        if state is not TaskState.DONE:
            back = splice(marked, again, [Mark(task.id, task.state) for task in plan.tasks])
            kept = [box for task in plan.tasks for box in task.boxes]
            parents_done = any(
                box.state is TaskState.OPEN
                for task in plan.tasks
                if task.state is TaskState.DONE
                for box in task.boxes
            )
            assert back == plan.data or (kept and parents_done)


BY_HAND = {
    "134130__gh-domino/conductor/tracks/rebase_on_temp_worktree_20260201": (3, 10, 0, 0, 3, 5),
    "cstsortan__dartdata/conductor/tracks/context-change-set_20260405": (3, 18, 0, 0, 0, 18),
    "gemini-cli-extensions__conductor/conductor/tracks/issue_103_20260223": (3, 12, 1, 1, 0, 12),
    "NguyenSiTrung__CLIConfigEditUI/conductor/archive/opencode-mcp-fix_20251223": (
        4, 8, 1, 0, 0, 0,
    ),
    "NilusvanEdel__Conductor-Beads-Copilot/conductor/tracks/copilot_readme_install_fix_20260208": (
        3, 10, 0, 0, 0, 10,
    ),
    "gemini-cli-extensions__conductor/conductor/tracks/copilot_integration_20251223": (
        3, 10, 0, 0, 3, 1,
    ),
    "2vyy__ripweb/conductor/tracks/improve_extraction_20260407": (4, 17, 0, 0, 4, 9),
}  # fmt: skip
"""Phases, tasks, checks, bookkeeping, gates, and tasks not finished, counted by hand."""


@pytest.mark.parametrize("track", BY_HAND)
def test_counts_agree_with_those_made_by_hand(track: str) -> None:
    plan = load(DATA / track / "plan.md")
    kinds = Counter(task.kind for task in plan.tasks)
    unfinished = [task for task in plan.tasks if task.state is not TaskState.DONE]
    assert BY_HAND[track] == (
        len(plan.phases),
        len(plan.tasks),
        kinds[Kind.CHECK],
        kinds[Kind.BOOKKEEPING],
        kinds[Kind.GATE],
        len(unfinished),
    )
