"""Whatever the bytes: a plan or InvalidPlan, in bounded time, and units that can run."""

from __future__ import annotations

import time
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.errors import InvalidPlan
from fanfold.plan.formats import READERS, parse
from fanfold.plan.graph import PARALLEL_MODES, UNIT_MODES, build
from fanfold.plan.model import Graph, Mark, Plan, TaskState
from fanfold.plan.paths import overlap
from fanfold.plan.reconcile import reconcile
from fanfold.plan.view import plan_json, plan_text
from fanfold.plan.write_back import splice

PIECES = st.sampled_from(
    [
        "# ", "## Phase ", "### ", "## Verification\n", "- [ ] ", "- [x] ", "- [~] ", "- [!] ",
        "- [-] ", "  - [ ] ", "    - ", "Task ", "Task: ", "1.2", "1", ": ", "\n", "\n\n", "\r\n",
        "\r", "\\n", "```", "~~~", "<!-- ", " -->", "depends: ", "files: ", "execution: parallel",
        "task1", "phase1", "none", "`", "**", "**Files:** ", "src/a.py", "src/", "*.md",
        " 0a1b2c3", " [0a1b2c3]", "[checkpoint: 0a1b2c3]", "|", "> ",
        "Conductor - User Manual Verification", "Run all tests", "Write tests for ", "é", "\t",
        " ", "[", "]", "(",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=60).map("".join)
LINES = st.sampled_from(
    [
        "## Phase 1: A", "## Phase 2: B", "<!-- execution: parallel -->", "- [ ] a",
        "- [ ] b `src/b.py`", "- [x] c", "- [~] Write tests for d", "- [!] e", "- [-] f",
        "- [ ] Run all tests", "- [ ] [P] g in src/g.py", "- [ ] T001 [P] h in src/h.py",
        "- [ ] 1. i", "  - [ ] 1.1 j", "## 1. K", "  - [ ] sub", "  <!-- depends: none -->",
        "  <!-- depends: 1.1 -->", "  <!-- depends: phase1 -->", "  <!-- files: src/ -->",
        "  <!-- files: src/b.py, x.md -->", "- [ ] Conductor - User Manual Verification 'A'",
        "### Verification", "",
    ]
)  # fmt: skip
PLANS = st.lists(LINES, min_size=1, max_size=30).map("\n".join)
STATES = st.sampled_from(list(TaskState))
SHAS = st.none() | st.text("0123456789abcdef", min_size=40, max_size=40)


FORMATS = st.sampled_from(list(READERS))


def read(data: bytes, name: str = "conductor") -> Plan | None:
    with suppress(InvalidPlan):
        return parse(data, format=name)
    return None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=300) | TEXTS.map(str.encode), FORMATS)
def test_any_bytes_are_a_plan_or_invalid(data: bytes, name: str) -> None:
    plan = read(data, name)
    if plan:
        graph = build(plan)
        assert plan_text(plan, graph)
        assert plan_json(plan, graph)["schema"] == "fanfold.plan/1"
        assert len({task.id.casefold() for task in plan.tasks}) == len(plan.tasks)
        assert len({task.key for task in plan.tasks}) == len(plan.tasks)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(TEXTS | PLANS, FORMATS, st.data())
def test_marks_change_no_other_byte(text: str, name: str, data: st.DataObject) -> None:
    plan = read(text.encode(), name)
    if plan is None:
        return
    marks = [Mark(task.id, data.draw(STATES), data.draw(SHAS)) for task in plan.tasks]
    written = splice(plan.data, plan, marks)
    again = parse(written, format=name)
    assert [task.state for task in again.tasks] == [mark.state for mark in marks]
    if any(
        mark.sha or TaskState.DONE in (mark.state, task.state)
        for mark, task in zip(marks, plan.tasks, strict=True)
    ):
        return
    if any(task.mark is None for task in plan.tasks) or any(phase.box for phase in plan.phases):
        return
    back = splice(written, again, [Mark(task.id, task.state) for task in plan.tasks])
    assert back == plan.data


@settings(max_examples=100, deadline=None, derandomize=True)
@given(PLANS, st.sampled_from(UNIT_MODES), st.sampled_from(PARALLEL_MODES))
def test_units_partition_and_waves_respect_needs(text: str, unit: str, parallel: str) -> None:
    plan = read(text.encode())
    if plan is None:
        return
    graph = build(plan, unit=unit, parallel=parallel)
    open_tasks = {
        task.id for task in plan.tasks if task.state in (TaskState.OPEN, TaskState.IN_PROGRESS)
    }
    grouped = [task for unit_ in graph.units for task in unit_.tasks]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) | set(graph.blocked) == open_tasks
    assert not set(grouped) & set(graph.blocked)
    require_waves(graph)


def require_waves(graph: Graph) -> None:
    wave_of = {name: number for number, wave in enumerate(graph.waves) for name in wave}
    unit_of = {task: unit.id for unit in graph.units for task in unit.tasks}
    units = {unit.id: unit for unit in graph.units}
    assert sorted(wave_of) == sorted(units)
    for unit in graph.units:
        assert unit.id == unit.tasks[0]
        assert all(wave_of[need] < wave_of[unit.id] for need in unit.needs)
        for task in unit.tasks:
            needed = {unit_of[need] for need in graph.needs[task] if need in unit_of} - {unit.id}
            assert all(wave_of[need] < wave_of[unit.id] for need in needed)
    for wave in graph.waves:
        for index, left in enumerate(wave):
            for right in wave[index + 1 :]:
                assert overlap(units[left].writes or (), units[right].writes or ()) is None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(PLANS, st.integers(0, 30), st.sampled_from(["", "Prose.", "## Phase 9: New\n- [ ] new"]))
def test_marks_survive_an_edit_elsewhere(text: str, at: int, added: str) -> None:
    then = read(text.encode())
    lines = text.split("\n")
    position = at if at < len(lines) and lines[at].startswith("## ") else 0
    now = read("\n".join([*lines[:position], added, *lines[position:]]).encode())
    if then is None or now is None or position == 0:
        return
    found = reconcile(then, now)
    titles = {task.id: task.title for task in now.tasks}
    assert set(found.mapping) == {task.id for task in then.tasks}
    assert all(titles[found.mapping[task.id]] == task.title for task in then.tasks)
    marks = [Mark(name, TaskState.SKIPPED) for name in found.mapping.values()]
    marked = parse(splice(now.data, now, marks))
    skipped = {task.id for task in marked.tasks if task.state is TaskState.SKIPPED}
    assert skipped >= set(found.mapping.values())


HOSTILE = [
    "- [ ] a\n" + " " * 20_000 + "x",
    "- [ ] " + "a" * 40_000,
    "- [ ] " + "`" * 20_000,
    "- [ ] a\n" + "<!--" * 10_000,
    "- [ ] a\n" + "<!-- x -->" * 4_000,
    "- [ ] a\n" + "```\n~~~~\n" * 4_000,
    "- [ ] a\n" + "".join("`" * n + " " for n in range(3, 250)),
    "- [ ] " + "[checkpoint: 0a1b2c3] " * 1_600,
    "- [ ] " + "0a1b2c3 " * 4_000,
    "- [ ] " + "src/a.py " * 4_000,
    "- [ ] " + "run all the tests and " * 2_000,
    "## " + "Phase " * 6_000 + "\n- [ ] a",
    "#" * 20_000 + "\n- [ ] a",
    "- [ ] a\n" * 1_000,
    "- [ ] a\n  <!-- depends: none -->\n" * 600,
    "- [ ] Task 1: a\n" * 1_000,
    "- [ ] a\n  <!-- files: " + "a/" * 1_000 + "b -->",
]


def test_hostile_plans_take_linear_time() -> None:
    for text in HOSTILE:
        began = time.process_time()
        plan = read(text.encode())
        if plan:
            build(plan, parallel="infer")
        taken = time.process_time() - began
        assert taken < 1.0, f"{taken:.1f} s for {text[:40]!r}"
