"""What the model is not told twice, nor at length: reads of what it has, idle lines of commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.agent.tools.spill import Spill
from fanfold.agent.tools.squeeze import SHORTEST_RUN, squeezed
from fanfold.agent.tools.told import UNCHANGED
from fanfold.run.attempt import Exit
from fanfold.run.events import ToolCalled
from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import DONE, Attempt, reply, use

LONG = "".join(f"def f{n}(): return {n}\n" for n in range(60))
LOOK = reply(use("read", "1", file_path="a.py"))
AGAIN = reply(use("read", "2", file_path="a.py", view_range=[10, 50]))
PASSED = [
    "tests/test_a.py::TestA::test_b[x y] PASSED                  [ 12%]",
    "[gw3] [ 40%] PASSED tests/test_a.py::test_b ",
    "test_split (tests.test_a.TestA.test_split) ... ok",
    "test parse::tests::empty ... ok",
    "t/basic.t .. ok",
    "=== RUN   TestSplit/one",
    "    --- PASS: TestSplit/one (0.00s)",
    "ok 12 - splits statements",
    "  ✓ splits statements (4 ms)",
    "✔ splits statements (1.2ms)",
    "[       OK ] Split.Statements (0 ms)",
    "SplitTest > statements() PASSED",
    "  3/40 Test  #3: split ....................   Passed    0.01 sec",
]
TELLING = [
    "tests/test_a.py::test_b FAILED                              [ 12%]",
    "tests/test_a.py::test_b SKIPPED (no network)                [ 12%]",
    "tests/test_a.py::test_b XPASS                               [ 12%]",
    "test_split (tests.test_a.TestA.test_split) ... FAIL",
    "not ok 12 - splits statements",
    "ok 12 - splits statements # SKIP no network",
    "    --- FAIL: TestSplit/one (0.00s)",
    "ok  \texample.com/split\t0.003s",
    "475 passed, 2 xfailed in 4.47s",
    "an error: all is ok",
]


@pytest.fixture
def two_files(attempt: Attempt) -> Attempt:
    attempt.workspace = MemoryWorkspace({"a.py": LONG, "b.py": "x\n"})
    return attempt


def test_lines_that_stand_above_are_not_told_again(two_files: Attempt) -> None:
    two_files.run(LOOK, AGAIN, DONE)
    assert two_files.told(2) == UNCHANGED


def test_who_asks_a_third_time_is_told(two_files: Attempt) -> None:
    two_files.run(LOOK, AGAIN, AGAIN, DONE)
    assert "f48()" in two_files.told(3)


def test_a_file_that_has_changed_is_told(two_files: Attempt) -> None:
    change = use("edit", "3", file_path="a.py", old_string="return 7\n", new_string="return 8\n")
    two_files.run(LOOK, reply(change), AGAIN, DONE)
    assert "f48()" in two_files.told(3)


def test_lines_that_were_not_shown_are_told(two_files: Attempt) -> None:
    two_files.run(AGAIN, LOOK, DONE)
    assert "f59()" in two_files.told(2)


def test_reads_of_one_turn_are_all_told(two_files: Attempt) -> None:
    looks = [use("read", str(n), file_path="a.py") for n in range(4)]
    two_files.run(reply(*looks), DONE)
    results = two_files.model.requests[-1].messages[-1]["content"]
    assert ["f59()" in block.get("content", "") for block in results[:4]] == [True] * 4


def test_a_short_passage_is_told_again(two_files: Attempt) -> None:
    look = reply(use("read", "1", file_path="b.py"))
    two_files.run(look, look, DONE)
    assert two_files.told(2) == "1\tx"


def test_who_reads_in_circles_is_still_stopped(two_files: Attempt) -> None:
    report = two_files.run(*[LOOK] * 6, DONE)
    results = {event.result for event in two_files.events() if isinstance(event, ToolCalled)}
    assert report.exit is Exit.STUCK
    assert len(results) == 1


@pytest.mark.parametrize("line", PASSED)
def test_a_run_of_passed_tests_is_a_number(line: str) -> None:
    output = "\n".join(["collected", *[line] * 20, "20 passed"])
    left_out = "[… 18 lines of passed tests left out …]"
    assert squeezed(output).split("\n") == ["collected", line, left_out, line, "20 passed"]


@pytest.mark.parametrize("line", TELLING)
def test_what_may_matter_stays(line: str) -> None:
    output = "\n".join([line] * 20)
    assert squeezed(output) == output


def test_a_failure_within_a_run_is_shown() -> None:
    rows = [*[PASSED[0]] * 9, TELLING[0], *[PASSED[0]] * 9]
    assert TELLING[0] in squeezed("\n".join(rows))


def test_a_short_run_stays() -> None:
    output = "\n".join([PASSED[0]] * (SHORTEST_RUN - 1))
    assert squeezed(output) == output


def test_colours_and_overwritten_progress_go() -> None:
    output = "\x1b[32m3 passed\x1b[0m\r\n 10%\r 50%\r100%\nready\r\n"
    assert squeezed(output) == "3 passed\n100%\nready\n"


@given(st.lists(st.sampled_from([*PASSED, *TELLING, "", "\x1b[1mx", "a\rb"]), max_size=40))
def test_nothing_that_may_matter_is_lost(lines: list[str]) -> None:
    output = "\n".join(lines)
    less = squeezed(output)
    kept = [line for line in less.split("\n") if line in TELLING]
    assert kept == [line for line in lines if line in TELLING]
    assert len(less) <= len(output) + len("[… 00 lines of passed tests left out …]")
    assert squeezed(less) == less


def test_a_hostile_line_takes_no_time() -> None:
    line = " > " * 100_000
    assert squeezed(line) == line


def test_the_whole_of_a_squeezed_output_can_be_read() -> None:
    spill = Spill()
    output = "\n".join([*PASSED[:1] * 30, "1 failed"])
    shown = spill.squeeze(output)
    assert shown.endswith("[the whole is in .fanfold/output/1.txt: use read or grep on it]")
    assert "1 failed" in shown
    assert spill.get(".fanfold/output/1.txt") == output
    assert spill.squeeze("3 passed") == "3 passed"
