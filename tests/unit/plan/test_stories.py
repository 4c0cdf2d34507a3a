"""spec-kit's stories wait for what their list of dependencies says, not for each other."""

from __future__ import annotations

import pytest

from fanfold.plan.formats import parse
from fanfold.plan.graph import build
from fanfold.plan.speckit import parse as read

TASKS = """\
# Tasks: Shop

## Phase 1: Setup

- [ ] T001 Create src/app.py

## Phase 2: Foundational (Blocking Prerequisites)

- [ ] T002 Create src/db.py

## Phase 3: User Story 1 - Browse (Priority: P1)

- [ ] T003 [US1] Add src/browse.py
- [ ] T004 [US1] Wire src/app.py

## Phase 4: User Story 2 - Buy (Priority: P2)

- [ ] T005 [US2] Add src/buy.py
- [ ] T006 [US2] Wire src/app.py

## Phase 5: Polish

- [ ] T007 Document docs/shop.md

## Dependencies & Execution Order

### User Story Dependencies

"""


def phases(*lines: str) -> dict[str, tuple[str, ...] | None]:
    """The stated needs of each phase; None where it follows what stands before it."""
    plan = read((TASKS + "".join(f"- **{line}\n" for line in lines)).encode())
    return {phase.id: None if phase.chained else phase.needs for phase in plan.phases}


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ("User Story 2 (P2)**: Can start after Foundational (Phase 2) - Uses US1", ("2",)),
        ("User Story 2 (P2)**: Can start after Phase 2 – Independent of US1", ("2",)),
        ("User Story 2 (Phase 4)**: Depends on Foundational - Can run parallel to US1", ("2",)),
        ("User Story 2 (P2)**: Depends on US1 (uses the same service)", ("3",)),
        ("User Story 2**: Depends on Setup + partial US1 (its flow)", ("1", "3")),
        ("User Story 2 (P2)**: Requires User Story 1", ("3",)),
        ("User Story 2 (P2)**: Enhances US1 - Best implemented after US1", None),
        ("User Story 2 (P2)**: Depends on US7", None),
        ("User Story 2 (P2)**: Depends on US2", None),
        ("User Stories (Phase 3+)**: All depend on Foundational phase completion", None),
    ],
)
def test_what_a_line_says(line: str, needs: tuple[str, ...] | None) -> None:
    assert phases(line)["4"] == needs


def test_a_story_never_waits_for_a_later_one() -> None:
    assert phases("User Story 1 (P1)**: Depends on US2")["3"] is None


def test_other_phases_stay_where_they_are() -> None:
    told = phases("User Story 2 (P2)**: Can start after Foundational")
    assert [told[name] for name in ("1", "2", "3", "5")] == [None] * 4


def test_stories_run_side_by_side_but_for_the_files_they_share() -> None:
    lines = (
        "- **User Story 1 (P1)**: Can start after Foundational (Phase 2)\n"
        "- **User Story 2 (P2)**: Can start after Foundational (Phase 2) - Independent of US1\n"
    )
    plan = parse((TASKS + lines).encode(), "specs/shop/tasks.md")
    waves = [list(wave) for wave in build(plan, unit="task").waves]
    assert waves == [["T001"], ["T002"], ["T003", "T005"], ["T004"], ["T006"], ["T007"]]
    without = parse(TASKS.encode(), "specs/shop/tasks.md")
    assert len(build(without, unit="task").waves) == 7
