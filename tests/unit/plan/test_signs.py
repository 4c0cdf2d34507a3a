"""Signs in a plan: comments below open tasks, and not a byte more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.errors import InvalidPlan
from fanfold.plan.formats import parse
from fanfold.plan.graph import build
from fanfold.plan.signs import Sign, with_signs

PLAN = """\
# Plan

## Phase 1: A

- [x] Task: Old
- [ ] Task: One
    - [ ] Sub-task: a
- [ ] Task: Two
  prose

## Phase 2: B

- [ ] Task: Three
    <!-- depends:  1.2 -->
    <!-- files: c.py -->
"""


def signed(text: str, **signs: Sign) -> str:
    named = {name.replace("_", ".").strip("t"): sign for name, sign in signs.items()}
    return with_signs(parse(text.encode()), named).decode()


def test_comments_below_the_tasks_line() -> None:
    told = signed(PLAN, t1_2=Sign((), ("a.py", "tests/**")), t1_3=Sign(("1.1",)))
    assert told == PLAN.replace(
        "Task: One\n",
        "Task: One\n    <!-- depends: none -->\n    <!-- files: a.py, tests/** -->\n",
    ).replace("Task: Two\n", "Task: Two\n    <!-- depends: 1.1 -->\n")
    waves = build(parse(told.encode()), unit="task").waves
    assert waves[0] == ("1.2", "1.3")


def test_headings_get_them_without_an_indent() -> None:
    told = signed("# P\n\n## Phase 1: A\n\n### [ ] Task 1.1: One\n\ntext\n", t1_1=Sign(()))
    assert "### [ ] Task 1.1: One\n<!-- depends: none -->\n\ntext\n" in told


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_and_a_missing_last_one_stay(newline: str) -> None:
    text = newline.join(("# P", "", "## Phase 1: A", "", "- [ ] Task: One", "- [ ] Task: Two"))
    told = signed(text, t1_1=Sign(()))
    assert told == text.replace("One", f"One{newline}    <!-- depends: none -->")
    last = signed(text, t1_2=Sign(()))
    assert last.startswith(text)
    assert last.endswith("<!-- depends: none -->")


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        ({"9.9": Sign(())}, "no task '9.9'"),
        ({"1.1": Sign(())}, "not open"),
        ({"2.1": Sign(())}, "states already"),
        ({"2.1": Sign(files=("a",))}, "states its files"),
        ({"1.2": Sign(("nowhere",))}, "nowhere"),
        ({"1.2": Sign(("1.3",)), "1.3": Sign(("1.2",))}, "wait for each other"),
        ({"1.2": Sign(files=())}, "cannot have these files"),
        ({"1.2": Sign(files=("a -->\n- [ ] Task: evil",))}, "cannot have these files"),
        ({"1.2": Sign(("1.3 -->\n- [ ] Task: evil <!--",))}, "1.2|differently|no task"),
        ({"1.2": Sign(files=("/etc/passwd",))}, "cannot have these files"),
    ],
)
def test_what_does_not_fit_is_refused(signs: dict[str, Sign], said: str) -> None:
    with pytest.raises(InvalidPlan, match=said):
        with_signs(parse(PLAN.encode()), signs)


def test_other_formats_know_no_comments() -> None:
    plan = parse(b"# Tasks: x\n\n## Phase 1: Setup\n\n- [ ] T001 One\n", "specs/x/tasks.md")
    with pytest.raises(InvalidPlan, match="knows no such comments"):
        with_signs(plan, {})


IDS = ("1.1", "1.2", "1.3", "2.1")
ODD = st.text("a1./*,<>-! \n", max_size=9)
SIGN = st.builds(
    Sign,
    st.none() | st.lists(st.sampled_from(IDS) | ODD, max_size=3).map(tuple),
    st.none() | st.lists(st.sampled_from(("a.py", "b/**")) | ODD).map(tuple),
)


@given(st.dictionaries(st.sampled_from(IDS), SIGN, max_size=3))
def test_taken_out_again_the_plan_is_as_it_was(signs: dict[str, Sign]) -> None:
    try:
        told = with_signs(parse(PLAN.encode()), signs)
    except InvalidPlan:
        return
    lines = told.decode().splitlines(keepends=True)
    added = [line for line in lines if "<!--" in line and line not in PLAN]
    assert "".join(line for line in lines if line not in added) == PLAN
