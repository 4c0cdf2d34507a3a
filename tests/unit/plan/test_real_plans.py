"""The real plans under ../shared: all are read, marked and grouped."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path

import pytest

from fanfold.plan.conductor import parse
from fanfold.plan.graph import UNIT_MODES, build
from fanfold.plan.model import Kind, Mark, Plan, Task, TaskState
from fanfold.plan.write_back import splice

DATA = Path(__file__).parents[4] / "shared" / "data" / "conductor"
PLANS = sorted(DATA.glob("**/plan.md"))

real = pytest.mark.skipif(not PLANS, reason="no real plans beside the repository")


@functools.cache
def load(path: Path) -> Plan:
    return parse(path.read_bytes(), str(path.relative_to(DATA)))


@real
def test_every_real_plan_is_read() -> None:
    assert len(PLANS) == 63
    assert all(load(path).tasks for path in PLANS)


@real
def test_every_real_plan_becomes_a_graph() -> None:
    for path in PLANS:
        plan = load(path)
        unfinished = [task.id for task in plan.tasks if task.state is not TaskState.DONE]
        for unit in UNIT_MODES:
            graph = build(plan, unit=unit)
            assert [task for group in graph.units for task in group.tasks] == unfinished


@real
def test_marks_of_real_plans_come_back_byte_for_byte() -> None:
    for path in PLANS:
        plan = load(path)
        begun = splice(
            plan.data, plan, [Mark(task.id, TaskState.IN_PROGRESS) for task in plan.tasks]
        )
        assert len(begun) == len(plan.data)
        again = parse(begun, plan.path)
        assert {task.state for task in again.tasks} == {TaskState.IN_PROGRESS}
        back = splice(begun, again, [Mark(task.id, task.state) for task in plan.tasks])
        assert back == plan.data or any(_has_open_steps(task) for task in plan.tasks)


def _has_open_steps(task: Task) -> bool:
    """Was the task ticked before its steps? Ticking it again ticks them too."""
    return task.state is TaskState.DONE and any(box.state is TaskState.OPEN for box in task.boxes)


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
    "Anthony-Bible__sre-bible/conductor/tracks/deadpool_mode_20260608": (3, 12, 0, 0, 3, 12),
    "djinn-soul__gopptx/conductor/tracks/core_pptx_20260215": (2, 7, 0, 0, 2, 7),
    "MetaMask__metamask-mobile/conductor/tracks/mini_bar_20260211": (3, 9, 0, 0, 3, 5),
}  # fmt: skip
"""Phases, tasks, checks, bookkeeping, gates, and tasks not finished, counted by hand."""


@real
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
