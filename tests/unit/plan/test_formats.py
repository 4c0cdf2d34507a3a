"""The other formats: spec-kit, OpenSpec, Kiro; and how a plan's format is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.errors import InvalidPlan
from fanfold.plan.formats import READERS, detect, parse
from fanfold.plan.graph import build
from fanfold.plan.model import Kind, Mark, Plan, TaskState
from fanfold.plan.write_back import splice

DATA = Path(__file__).parents[4] / "shared" / "data" / "plan-formats"

SPECKIT = """\
# Tasks: Greeting

## Format: `[ID] [P?] [Story] Description`

- **[P]**: Can run in parallel

## Phase 1: Setup

- [x] T001 Create the project in pyproject.toml

**Checkpoint**: Ready

## Phase 2: User Story 1 - Greet (Priority: P1)

### Tests for User Story 1

- [ ] T002 [P] [US1] Contract test in tests/contract/test_greet.py
- [ ] T003 [P] [US1] Unit test of words in tests/unit/test_greet.py
- [ ] T004 [P] [US1] Unit test of lines in tests/unit/test_greet.py

### Implementation

- [ ] T005 [US1] Implement greeting in src/greet.py
- [ ] T006 Run all tests

## Notes

- [P] tasks = different files
"""

OPENSPEC = """\
# Implementation Tasks

## 1. Update Command
- [x] 1.1 Create `src/update.ts`
- [ ] 1.2 Register it
  - [ ] 1.2.1 in the index

## 2. Verification
- [ ] 2.1 Verify the message
"""

KIRO = """\
# Implementation Plan

## Tasks

- [ ] 1. Set up the schema
  - [x] 1.1 Create db.php
    - Read the version
    - _Requirements: 8.1_

  - [ ]* 1.2 Write property tests
    - **Property 1: it holds**

- [ ] 2. Checkpoint - Backend complete
  - Ensure all tests pass, ask the user if questions arise.

- [ ] 3. Document it
"""


def read(text: str, path: str = "tasks.md") -> Plan:
    return parse(text.encode(), path)


def test_speckit_tasks_keep_their_numbers_and_signs() -> None:
    plan = read(SPECKIT)
    assert plan.format == "speckit"
    assert [(t.id, t.phase, t.parallel, t.kind) for t in plan.tasks] == [
        ("T001", "1", False, Kind.WORK),
        ("T002", "2", True, Kind.WORK),
        ("T003", "2", True, Kind.WORK),
        ("T004", "2", True, Kind.WORK),
        ("T005", "2", False, Kind.WORK),
        ("T006", "2", False, Kind.CHECK),
    ]
    assert plan.tasks[1].title == "Contract test in tests/contract/test_greet.py"


def test_speckit_fans_out_as_far_as_paths_allow() -> None:
    graph = build(read(SPECKIT), unit="task")
    assert [list(wave) for wave in graph.waves] == [["T002", "T003"], ["T004"], ["T005"], ["T006"]]
    assert graph.units[2].why[-1] == "may write tests/unit/test_greet.py as T003 does"


def test_speckit_neighbours_that_share_a_file_become_one_unit() -> None:
    graph = build(read(SPECKIT))
    assert [unit.tasks for unit in graph.units[:2]] == [("T002",), ("T003", "T004")]
    assert graph.waves[0] == ("T002", "T003")


def test_openspec_sections_are_phases_also_when_called_verification() -> None:
    plan = read(OPENSPEC)
    assert plan.format == "openspec"
    assert [(p.id, p.name) for p in plan.phases] == [("1", "Update Command"), ("2", "Verification")]
    assert [(t.id, t.title, len(t.boxes)) for t in plan.tasks] == [
        ("1.1", "Create `src/update.ts`", 0),
        ("1.2", "Register it", 1),
        ("2.1", "Verify the message", 0),
    ]


def test_kiro_groups_are_phases_of_their_tasks() -> None:
    plan = read(KIRO)
    assert plan.format == "kiro"
    assert [(p.id, p.name, p.tasks) for p in plan.phases] == [
        ("1", "Set up the schema", ("1.1", "1.2")),
        ("2", "Checkpoint - Backend complete", ("2",)),
        ("3", "Document it", ("3",)),
    ]
    assert [(t.id, t.state, t.kind) for t in plan.tasks] == [
        ("1.1", TaskState.DONE, Kind.WORK),
        ("1.2", TaskState.OPEN, Kind.WORK),
        ("2", TaskState.OPEN, Kind.CHECK),
        ("3", TaskState.OPEN, Kind.WORK),
    ]
    assert [list(wave) for wave in build(plan).waves] == [["1.2"], ["2"], ["3"]]


def test_kiro_group_is_ticked_with_its_last_task() -> None:
    plan = read(KIRO)
    written = splice(plan.data, plan, [Mark("1.2", TaskState.DONE, "0a1b2c3")])
    expected = KIRO.replace("- [ ] 1. Set", "- [x] 1. Set").replace("[ ]* 1.2", "[x]* 1.2")
    assert written.decode() == expected


def test_phase_with_a_mark_follows_its_tasks() -> None:
    data = b"## [ ] Phase 1: A\n- [x] a\n- [ ] b\n## [x] Phase 2: B\n- [x] c\n"
    plan = parse(data)
    done = splice(data, plan, [Mark("1.2", TaskState.DONE), Mark("2.1", TaskState.OPEN)])
    assert done == b"## [x] Phase 1: A\n- [x] a\n- [x] b\n## [ ] Phase 2: B\n- [ ] c\n"


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("conductor/tracks/a/plan.md", SPECKIT, "conductor"),
        ("specs/001-a/tasks.md", SPECKIT, "speckit"),
        ("tasks.md", OPENSPEC, "openspec"),
        ("tasks.md", KIRO, "kiro"),
        (".kiro/specs/a/tasks.md", "- [ ] a\n", "kiro"),
        ("openspec/changes/a/tasks.md", "- [ ] a\n", "openspec"),
        ("todo.md", "- [ ] a\n", "conductor"),
    ],
)
def test_format_is_told_by_path_and_content(path: str, text: str, name: str) -> None:
    assert detect(text.encode(), path) == name


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff", b"prose\n", b"- [?] a\n"])
def test_every_format_refuses_what_is_no_plan(name: str, data: bytes) -> None:
    with pytest.raises(InvalidPlan):
        parse(data, "tasks.md", format=name)


@pytest.mark.skipif(not DATA.exists(), reason="no real task lists beside the repository")
def test_real_task_lists_are_read_marked_and_grouped() -> None:
    files = sorted(DATA.glob("**/tasks.md"))
    plans = [parse(path.read_bytes(), str(path.relative_to(DATA))) for path in files]
    assert [plan.format for plan in plans].count("speckit") == 8
    speckit = [task for plan in plans if plan.format == "speckit" for task in plan.tasks]
    assert (len(speckit), sum(task.parallel for task in speckit)) == (367, 133)
    for plan in plans[::4]:
        opened = splice(plan.data, plan, [Mark(t.id, TaskState.OPEN) for t in plan.tasks])
        again = parse(opened, plan.path)
        assert len(build(again, unit="task").units) == len(plan.tasks)
        marks = [
            Mark(t.id, t.state) for t in plan.tasks if t.state is not TaskState.DONE or not t.boxes
        ]
        assert len(splice(opened, again, marks)) == len(plan.data)
