"""Write-back touches marks, SHAs and checkpoints, and no other byte."""

from __future__ import annotations

import pytest

from fanfold.errors import InvalidPlan
from fanfold.plan.conductor import parse
from fanfold.plan.model import Mark, TaskState
from fanfold.plan.reconcile import reconcile
from fanfold.plan.write_back import splice

SHA = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"


def done(text: str, task: str = "1.1", sha: str | None = SHA) -> str:
    data = text.encode()
    return splice(data, parse(data), [Mark(task, TaskState.DONE, sha)]).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- [ ] Task: a\n", "- [x] Task: a 0a1b2c3\n"),
        ("- [ ] Task: a", "- [x] Task: a 0a1b2c3"),
        ("- [~] Task: a  \r\n", "- [x] Task: a 0a1b2c3  \r\n"),
        ("* [ ] a <!-- id: 3 -->\n", "* [x] a <!-- id: 3 --> 0a1b2c3\n"),
        ("- [ ] a <!-- note\nb -->\n", "- [x] a 0a1b2c3 <!-- note\nb -->\n"),
        ("- [ ] a <!-- <!--\nb -->\n", "- [x] a 0a1b2c3 <!-- <!--\nb -->\n"),
        ("- [ ] a `<!--`\n", "- [x] a `<!--` 0a1b2c3\n"),
        ("### task1\n", "### [x] task1 0a1b2c3\n"),
        ("- [x] a d4e5f60\n", "- [x] a 0a1b2c3\n"),
        ("- [x] a [checkpoint: d4e5f60]\n", "- [x] a [checkpoint: 0a1b2c3]\n"),
        ("- [ ] bump to 1e10000\n", "- [x] bump to 1e10000 0a1b2c3\n"),
        ("### [ ] Task 1.1 — a\n", "### [x] Task 1.1 — a 0a1b2c3\n"),
        ("### Task 1.1: a\n", "### [x] Task 1.1: a 0a1b2c3\n"),
        ("- [ ] a\n  - [ ] b\n  - [x] c\n", "- [x] a 0a1b2c3\n  - [x] b\n  - [x] c\n"),
        ("- [ ] a\n  - [!] b\n  - [-] c\n", "- [x] a 0a1b2c3\n  - [!] b\n  - [-] c\n"),
    ],
)
def test_done_task_gets_mark_and_short_sha(before: str, after: str) -> None:
    head = "## Phase 1: P\n"
    assert done(head + before) == head + after


def test_sha_follows_the_form_of_the_file() -> None:
    text = "## Phase 1: P\n- [x] a [d4e5f60]\n- [x] b [d4e5f61]\n- [x] c d4e5f62\n- [ ] d\n"
    assert done(text, "1.4").endswith("- [x] d [0a1b2c3]\n")


def test_sha_that_reads_like_a_number_is_bracketed() -> None:
    assert done("## Phase 1: P\n- [ ] a\n", sha="12345678") == "## Phase 1: P\n- [x] a [1234567]\n"


def test_other_states_leave_sub_tasks_alone() -> None:
    data = b"- [x] a\n  - [x] b\n  - [ ] c\n"
    marks = [Mark("1", TaskState.BLOCKED)]
    assert splice(data, parse(data), marks) == b"- [!] a\n  - [x] b\n  - [ ] c\n"


def test_checkpoint_is_appended_or_replaced() -> None:
    data = b"## Phase 1: P  \r\n- [x] a\r\n## Phase 2: Q [checkpoint: Automated]\r\n- [x] b\r\n"
    written = splice(data, parse(data), [], {"1": SHA, "2": SHA})
    assert written == (
        b"## Phase 1: P [checkpoint: 0a1b2c3]  \r\n- [x] a\r\n"
        b"## Phase 2: Q [checkpoint: 0a1b2c3]\r\n- [x] b\r\n"
    )


def test_literal_newlines_stay() -> None:
    data = rb"## Phase 1: P\n- [ ] a\n- [ ] b\n"
    written = splice(data, parse(data), [Mark("1.1", TaskState.DONE, SHA)], {"1": SHA})
    assert written == rb"## Phase 1: P [checkpoint: 0a1b2c3]\n- [x] a 0a1b2c3\n- [ ] b\n"


def test_marking_twice_changes_nothing() -> None:
    once = done("## Phase 1: P\n- [ ] a\n")
    assert done(once) == once


def test_plan_edited_since_is_refused() -> None:
    parsed = parse(b"- [ ] a\n")
    with pytest.raises(InvalidPlan, match="edited since"):
        splice(b"- [ ] a \n", parsed, [])


@pytest.mark.parametrize("checkpoints", [{}, {"9": SHA}])
def test_unknown_task_or_phase_is_refused(checkpoints: dict[str, str]) -> None:
    data = b"- [ ] a\n"
    marks = [] if checkpoints else [Mark("9", TaskState.DONE)]
    with pytest.raises(InvalidPlan, match="holds no"):
        splice(data, parse(data), marks, checkpoints)


def test_sha_that_would_change_the_plan_is_refused() -> None:
    data = b"- [ ] a\n"
    with pytest.raises(InvalidPlan, match="cannot be marked safely"):
        splice(data, parse(data), [Mark("1", TaskState.DONE, "a\n- [ ]")])


THEN = "## Phase 1: P\n- [ ] a\n  - [ ] note\n- [ ] b\n- [ ] c\n- [ ] d\n"
NOW = (
    "# New\n## Phase 1: Before\n- [ ] x\n## Phase 2: P\n- [ ] new\n"
    "- [x] a 0a1b2c3\n  - [x] note\n- [ ] b\n  - more\n"
)


def test_tasks_are_found_again_in_an_edited_plan() -> None:
    found = reconcile(parse(THEN.encode()), parse(NOW.encode()))
    assert found.mapping == {"1.1": "2.2", "1.2": "2.3"}
    assert found.changed == ("1.2",)
    assert found.vanished == ("1.3", "1.4")


def test_edited_title_is_changed_and_not_mapped() -> None:
    found = reconcile(parse(b"- [ ] a\n- [ ] b\n"), parse(b"- [ ] a\n- [ ] b, but better\n"))
    assert (found.mapping, found.changed, found.vanished) == ({"1": "1"}, ("2",), ())
