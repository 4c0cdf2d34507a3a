"""The grammar of Conductor plans, one feature a test."""

from __future__ import annotations

import pytest

from fanfold.errors import InvalidPlan
from fanfold.plan.conductor import parse
from fanfold.plan.model import Kind, Plan, Task, TaskState

UPSTREAM = """\
# Plan: Greeting

## Phase 1: Parser [checkpoint: 1234abc]
<!-- execution: sequential -->

- [x] Task: Write the parser 0a1b2c3
    - [x] Sub-task: Read lines
    - [ ] Sub-task: Split words
- [~] Task: Handle `errors` in src/parse.py
    Errors carry a line.
- [ ] Task: Conductor - User Manual Verification 'Parser' (Protocol in workflow.md)

## Phase 2b: Command line
- [!] Task: Wait for the vendor
- [-] Task: Old idea
"""


def plan(text: str) -> Plan:
    return parse(text.encode())


def task(text: str) -> Task:
    return plan(text).tasks[0]


def test_upstream_plan_is_read_whole() -> None:
    read = plan(UPSTREAM)
    assert read.title == "Plan: Greeting"
    assert [(p.id, p.name, p.checkpoint, p.execution) for p in read.phases] == [
        ("1", "Parser", "1234abc", "sequential"),
        ("2b", "Command line", None, None),
    ]
    assert [(t.id, t.title, t.state, t.kind, t.sha, t.line) for t in read.tasks] == [
        ("1.1", "Write the parser", TaskState.DONE, Kind.WORK, "0a1b2c3", 6),
        ("1.2", "Handle `errors` in src/parse.py", TaskState.IN_PROGRESS, Kind.WORK, None, 9),
        (
            "1.3",
            "Conductor - User Manual Verification 'Parser' (Protocol in workflow.md)",
            TaskState.OPEN,
            Kind.GATE,
            None,
            11,
        ),
        ("2b.1", "Wait for the vendor", TaskState.BLOCKED, Kind.WORK, None, 14),
        ("2b.2", "Old idea", TaskState.SKIPPED, Kind.WORK, None, 15),
    ]


def test_spans_cover_mark_line_and_item() -> None:
    read = plan(UPSTREAM)
    first = read.tasks[0]
    assert first.mark
    assert read.data[first.mark.start : first.mark.end] == b"x"
    line = read.data[first.line_span.start : first.line_span.end]
    assert line == b"- [x] Task: Write the parser 0a1b2c3"
    assert read.text(first).splitlines()[1:] == [
        "    - [x] Sub-task: Read lines",
        "    - [ ] Sub-task: Split words",
    ]
    assert [read.data[b.mark.start : b.mark.end] for b in first.boxes] == [b"x", b" "]


@pytest.mark.parametrize(
    ("line", "title", "number"),
    [
        ("- [ ] Task: Do it", "Do it", "1.1"),
        ("- [ ] Task 1.4: Do it", "Do it", "1.4"),
        ("- [ ] Task 7: Do it", "Do it", "1.7"),
        ("- [ ] 1.2 Do it", "Do it", "1.2"),
        ("- [ ] **1.2** Do it", "Do it", "1.2"),
        ("- [ ] **Task 1.2**: Do it", "Do it", "1.2"),
        ("- [ ] **Do it**", "Do it", "1.1"),
        ("- [ ] Do it", "Do it", "1.1"),
        ("* [ ] Do it", "Do it", "1.1"),
        ("+ [ ] Do it", "Do it", "1.1"),
        ("3. [ ] Do it", "Do it", "1.1"),
        (" - [ ] Do it", "Do it", "1.1"),
        ("\t- [ ] Do it", "Do it", "1.1"),
        ("- [ ] Task Do it", "Task Do it", "1.1"),
        ("- [ ] 3 retries at most", "3 retries at most", "1.1"),
        ("- [ ] Tarea 1.2: Hazlo", "Hazlo", "1.2"),
        ("- [ ] 任务 1.2：做", "做", "1.2"),
        ("### [ ] Task 1.1 — Do it", "Do it", "1.1"),
        ("### [ ] Do it", "Do it", "1.1"),
        ("### Task 1.1: Do it", "Do it", "1.1"),
        ("#### Task 2: Do it", "Do it", "1.2"),
    ],
)
def test_labels_are_no_part_of_titles(line: str, title: str, number: str) -> None:
    read = task(f"## Phase 1: A\n{line}\n")
    assert (read.title, read.id) == (title, number)


@pytest.mark.parametrize(
    ("tail", "sha"),
    [
        (" 0a1b2c3", "0a1b2c3"),
        (" [0a1b2c3]", "0a1b2c3"),
        (" (0a1b2c3d)", "0a1b2c3d"),
        (" `0a1b2c3`", "0a1b2c3"),
        (" <!-- 0a1b2c3 -->", "0a1b2c3"),
        (" [checkpoint: 0a1b2c3]", "0a1b2c3"),
        (" [1234567]", "1234567"),
        (" 0a1b2c3  ", "0a1b2c3"),
        (" 0a1b2c3 d4e5f60", "d4e5f60"),
        (" " + "0a" * 20, "0a" * 20),
    ],
)
def test_sha_at_the_end_of_the_line_is_read(tail: str, sha: str) -> None:
    read = task(f"- [x] Task: Do it{tail}\n")
    assert (read.title, read.sha) == ("Do it", sha)


@pytest.mark.parametrize(
    "text",
    ["Fix issue 1234567", "Be defaced", "Read `README.md`", "See (20260223)", "Use `<a>`"],
)
def test_words_and_numbers_are_no_sha(text: str) -> None:
    read = task(f"- [x] Task: {text}\n")
    assert (read.title, read.sha) == (text, None)


@pytest.mark.parametrize(
    ("heading", "number", "name"),
    [
        ("## Phase 1: Setup", "1", "Setup"),
        ("## Phase 1 - Setup", "1", "Setup"),
        ("## Phase 1 Setup", "1", "Setup"),
        ("## Phase 0: Core ✅", "0", "Core ✅"),
        ("## Phase A: Setup", "A", "Setup"),
        ("## Phase: Review Fixes", "review-fixes", "Review Fixes"),
        ("## Fase 2: Inicio", "2", "Inicio"),
        ("## Sprint 3: Login", "3", "Login"),
        ("## Wave 2", "2", "Wave 2"),
        ("## 第1阶段：解析", "1", "解析"),
        ("## 阶段 2：解析", "2", "解析"),
        ("## **Phase 1: Setup**", "1", "Setup"),
        ("## [x] Phase 1: Setup", "1", "Setup"),
        ("### Phase 2b: Objects", "2b", "Objects"),
        ("## Setup", "setup", "Setup"),
        ("## 2. Setup", "2", "Setup"),
        ("## 🚀 Phase 1: Setup", "1", "Setup"),
        ("## Phasers and beams", "phasers-and-beams", "Phasers and beams"),
        ("## Настройка", "p1", "Настройка"),
        ("## Phase 1: Setup [checkpoint: Automated]", "1", "Setup"),
    ],
)
def test_phase_headings(heading: str, number: str, name: str) -> None:
    phase = plan(f"# Title\n\n{heading}\n- [ ] Do it\n").phases[0]
    assert (phase.id, phase.name) == (number, name)


def test_sections_inside_a_phase_do_not_divide_it() -> None:
    read = plan(
        "## Phase 1: A\n### Tasks\n- [ ] a\n### 1.1 Part\n- [ ] b\n### Phase 1b: B\n- [ ] c\n"
    )
    assert [(t.id, t.phase) for t in read.tasks] == [("1.1", "1"), ("1.2", "1"), ("1b.1", "1b")]


def test_tasks_before_any_phase_have_ids() -> None:
    read = plan("- [ ] a\n- [ ] b\n## Phase 1: P\n- [ ] c\n")
    assert [t.id for t in read.tasks] == ["1", "2", "1.1"]
    assert [p.id for p in read.phases] == ["plan", "1"]


def test_ids_are_unique_whatever_the_labels() -> None:
    read = plan(
        "## Phase 1: A\n- [ ] Task 1: a\n- [ ] Task 1: a\n- [ ] b\n"
        "## Phase 1: A\n- [ ] a\n- [ ] a\n"
    )
    ids = [t.id for t in read.tasks]
    assert ids == ["1.1", "1.1-2", "1.2", "1-2.1", "1-2.2"]
    assert len({t.key for t in read.tasks}) == len(ids)


def test_unlabelled_tasks_count_on_from_labelled_ones() -> None:
    read = plan("## Phase 2: A\n- [ ] Task 3: a\n- [ ] Task 4: b\n- [ ] c\n")
    assert [t.id for t in read.tasks] == ["2.3", "2.4", "2.5"]


@pytest.mark.parametrize(
    "heading",
    [
        "## 5. Verification",
        "### Verification",
        "## Final Verification",
        "### Definition of Done",
        "### Acceptance Criteria",
        "### ✅ Verification (Phase 1)",
        "### 1.3 Verification",
        "## Track Completion",
        "**Phase Checkpoint:** [0308285]",
        "### Criterios de aceptación",
    ],
)
def test_conditions_are_no_tasks(heading: str) -> None:
    read = plan(f"## Phase 1: A\n- [ ] a\n\n{heading}\n\n- [ ] it holds\n- [?x] and this\n")
    assert [t.title for t in read.tasks] == ["a"]
    assert "it holds" in (*read.conditions, *read.phases[0].conditions)


def test_a_phase_named_verification_holds_tasks() -> None:
    assert task("## Phase 3: Verification\n- [ ] Test it\n").id == "3.1"


def test_a_task_that_says_so_is_one_also_among_conditions() -> None:
    read = plan("## Phase 1: A\n### Verification\n- [ ] it holds\n- [ ] Task: Measure it\n")
    assert [t.title for t in read.tasks] == ["Measure it"]


def test_tasks_after_conditions_are_found_again() -> None:
    read = plan(
        "## Phase 1: A\n### Verification\n- [ ] c\n### Tasks\n- [ ] a\n## Phase 2: B\n- [ ] b\n"
    )
    assert [t.title for t in read.tasks] == ["a", "b"]


def test_code_tables_quotes_and_comments_hold_no_tasks() -> None:
    text = (
        "- [ ] a\n```md\n- [?] code\n## Phase 9: no\n```\n~~~\n- [z] code\n~~~\n"
        "| [?] | table |\n> - [?] quote\n<!-- - [?] one line -->\n<!--\n- [?] many\n-->\n- [ ] b\n"
    )
    assert [t.title for t in plan(text).tasks] == ["a", "b"]


def test_unclosed_fence_and_comment_hide_nothing() -> None:
    read = plan("- [ ] a\n```sh\nmake\n\n<!-- note\n- [ ] b\n")
    assert [t.title for t in read.tasks] == ["a", "b"]
    assert [w.code for w in read.warnings] == ["unclosed_fence", "unclosed_comment"]


def test_comment_signs_in_inline_code_are_text() -> None:
    read = plan("- [ ] Escape `<!--` first\n- [ ] Then `-->`\n")
    assert [t.title for t in read.tasks] == ["Escape `<!--` first", "Then `-->`"]


def test_links_and_tags_are_no_marks() -> None:
    read = plan("- [ ] a\n- [x](http://example.org)\n- [P0] tag\n- [NEW] file\n- [x]: ref\n")
    assert [t.title for t in read.tasks] == ["a"]


def test_details_belong_to_their_task() -> None:
    text = (
        "## Phase 1: A\n- [ ] a\n  - note\n\n  more\n  ```\n  code\n  ```\nlazy line\n\n"
        "Prose.\n- [ ] b\n- plain\n  - [ ] under plain\n"
    )
    read = plan(text)
    assert [t.title for t in read.tasks] == ["a", "b", "under plain"]
    assert read.text(read.tasks[0]).endswith("lazy line")
    assert read.text(read.tasks[1]) == "- [ ] b"


def test_heading_tasks_own_what_stands_below_them() -> None:
    text = (
        "## Phase 1: A\n### [ ] Task 1.1 — a\nProse.\n\n- [ ] step\n#### Notes\n- [x] more\n"
        "### Task 1.2: b\n- [x] one\n- [x] two\n### Task 1.3: c\n"
    )
    read = plan(text)
    assert [(t.id, t.state, len(t.boxes)) for t in read.tasks] == [
        ("1.1", TaskState.OPEN, 2),
        ("1.2", TaskState.DONE, 2),
        ("1.3", TaskState.OPEN, 0),
    ]
    assert read.tasks[1].mark is None


def test_stated_needs_and_files() -> None:
    text = (
        "## Phase 1: A\n<!-- execution: parallel -->\n"
        "- [ ] Task 1: a\n  <!-- files: src/a.py, `docs/**` -->\n"
        "- [ ] Task 2: b\n  <!-- depends: task1 -->\n  **Files:** `src/b.py`\n"
        "- [ ] Task 3: c <!-- depends: none -->\n"
        "## Phase 2: B\n<!-- depends: phase1 -->\n- [ ] d\n  <!-- depends: 1.3, Task 2 -->\n"
    )
    read = plan(text)
    a, b, c, d = read.tasks
    assert (a.writes, a.chained) == (("src/a.py", "docs/**"), True)
    assert (b.needs, b.writes, b.chained) == (("1.1",), ("src/b.py",), False)
    assert (c.needs, c.chained) == ((), False)
    assert d.needs == ("1.3", "1.2")
    assert (read.phases[0].execution, read.phases[1].needs) == ("parallel", ("1",))


def test_one_comment_may_make_several_statements() -> None:
    read = plan(
        "## Phase 1: A\n<!-- execution: Parallel (at most 3) -->\n- [ ] a\n"
        "- [ ] b\n  <!--\n  files: src/b.py\n  depends_on: task1\n  -->\n"
    )
    assert read.phases[0].execution == "parallel"
    assert (read.tasks[1].writes, read.tasks[1].needs) == (("src/b.py",), ("1.1",))


def test_files_listed_below_their_heading() -> None:
    text = (
        "### Task 1: a\n**Files:**\n- Create: `src/a.py`\n- Modify: `src/b.py:12-40`\n"
        "- Test: `tests/test_a.py`\n\n- [ ] **Step 1:** write it\n"
    )
    assert task(text).writes == ("src/a.py", "src/b.py", "tests/test_a.py")


def test_unreadable_files_are_a_warning() -> None:
    read = plan("- [ ] a\n  <!-- files: ../other, /etc -->\n")
    assert read.tasks[0].writes is None
    assert [w.code for w in read.warnings] == ["bad_files"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_endings_and_bom(newline: str, bom: str) -> None:
    text = bom + "# T\n## Phase 1: A\n- [ ] a\n- [x] b 0a1b2c3"
    read = plan(text.replace("\n", newline))
    assert [(t.title, t.line) for t in read.tasks] == [("a", 3), ("b", 4)]
    assert read.title == "T"


def test_file_on_one_line_with_literal_newlines() -> None:
    read = plan(r"# T\n\n## Phase 1: A\n- [ ] Task: a\n    - [ ] Sub-task: b\n- [x] Task: c\n")
    assert [(t.id, t.title, len(t.boxes), t.line) for t in read.tasks] == [
        ("1.1", "a", 1, 1),
        ("1.2", "c", 0, 1),
    ]


def test_literal_newlines_in_an_ordinary_plan_are_text() -> None:
    assert task("- [ ] Join with \\n and\n- [ ] b\n").title == "Join with \\n and"


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", 0, "empty"),
        (b" \n\t\n", 0, "empty"),
        (b"\xef\xbb\xbf\n", 0, "empty"),
        (b"- [ ] a\n\x00", 2, "NUL"),
        (b"- [ ] a\n- [ ] \xff\n", 2, "UTF-8"),
        (b"# T\n\njust prose\n", 0, "no task"),
        (b"## Verification\n- [ ] c\n", 0, "only conditions"),
        (b"- [ ] a\n- [?] b\n", 2, "unknown mark '[?]'"),
        ("- [ ] a\n- [✓] b\n".encode(), 2, "unknown mark"),
        (b"- [ ] a\n- [] b\n", 2, "unknown mark '[]'"),
        (b"- [ ] a\n- [x ] b\n", 2, "unknown mark"),
        (b"## A\n### [?] Task 1: b\n", 2, "unknown mark"),
        (b"- [ ] a\n  <!-- depends: task9 -->\n", 2, "'task9'"),
        (b"- [ ] a\n<!--\nfiles: a\ndepends: task9\n-->\n", 4, "'task9'"),
        (b"## Phase 1: A\n<!-- depends: phase7 -->\n- [ ] a\n", 2, "'phase7'"),
        (b"## Phase 1: A\n- [ ] a\n  <!-- depends: 1.1 -->\n", 3, "1.1 → 1.1"),
        (
            b"- [ ] a\n  <!-- depends: 2 -->\n- [ ] b\n  <!-- depends: 1 -->\n",
            2,
            "wait for each other",
        ),
        (b"- [ ] a\n  <!-- depends: 2 -->\n- [ ] b\n", 2, "follows what stands before it"),
        (
            b"## Phase 1: A\n<!-- depends: phase2 -->\n- [ ] a\n## Phase 2: B\n- [ ] b\n",
            2,
            "wait for each other",
        ),
    ],
)
def test_what_is_no_plan_is_refused_with_its_line(data: bytes, line: int, words: str) -> None:
    with pytest.raises(InvalidPlan) as caught:
        parse(data, "p/plan.md")
    assert caught.value.line == line
    assert words in caught.value.problem


def test_all_done_is_a_plan() -> None:
    assert task("- [x] a\n").state is TaskState.DONE


def test_capital_mark_is_done() -> None:
    assert task("- [X] a\n").state is TaskState.DONE


def test_checkbox_without_text_is_a_warning() -> None:
    read = plan("- [ ] a\n- [ ]\n")
    assert len(read.tasks) == 1
    assert [w.code for w in read.warnings] == ["empty_task"]


def test_key_survives_edits_elsewhere() -> None:
    before = {t.title: t.key for t in plan(UPSTREAM).tasks}
    edited = (
        UPSTREAM.replace("# Plan", "Intro.\n\n# Plan")
        .replace("## Phase 2b", "## Phase 2: New\n- [ ] Task: Fresh\n\n## Phase 3")
        .replace("[~]", "[x]")
        .replace("- [!]", "- [ ] Task: Earlier\n- [x]")
    )
    after = {t.title: t.key for t in plan(edited).tasks}
    assert before.items() <= after.items()
