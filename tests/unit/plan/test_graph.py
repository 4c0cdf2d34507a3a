"""From plans to units, needs and waves."""

from __future__ import annotations

import pytest

from fanfold.errors import InvalidSettings
from fanfold.plan.conductor import parse
from fanfold.plan.graph import build
from fanfold.plan.model import Graph, Kind, Unit

GATE = "- [ ] Task: Conductor - User Manual Verification 'P' (Protocol in workflow.md)\n"


def graph(text: str, unit: str = "task", parallel: str = "declared") -> Graph:
    return build(parse(text.encode()), unit=unit, parallel=parallel)


def waves(text: str, unit: str = "task", parallel: str = "declared") -> list[list[str]]:
    return [list(wave) for wave in graph(text, unit, parallel).waves]


def unit(found: Graph, name: str) -> Unit:
    return next(unit for unit in found.units if unit.id == name)


def test_default_is_a_chain() -> None:
    assert waves("## Phase 1: A\n- [ ] a\n- [ ] b\n## Phase 2: B\n- [ ] c\n") == [
        ["1.1"],
        ["1.2"],
        ["2.1"],
    ]


def test_finished_tasks_satisfy_needs_and_stale_ones_are_open() -> None:
    text = "## Phase 1: A\n- [x] a\n- [-] b\n- [~] c\n- [x] d\n- [ ] e\n"
    found = graph(text)
    assert [list(wave) for wave in found.waves] == [["1.3"], ["1.5"]]
    assert [w.code for w in found.warnings] == ["stale"]


def test_blocked_task_holds_back_what_waits_for_it() -> None:
    text = "## Phase 1: A\n- [ ] a\n- [!] b\n- [ ] c\n- [ ] d\n  <!-- depends: none -->\n"
    found = graph(text)
    assert [unit.id for unit in found.units] == ["1.1", "1.4"]
    assert found.blocked == ("1.3",)
    assert [w.text for w in found.warnings if w.code == "blocked"] == [
        "1.2 is blocked; so is what waits for it: 1.3"
    ]


def test_parallel_phase() -> None:
    text = (
        "## Phase 1: A\n- [ ] a\n## Phase 2: B\n<!-- execution: parallel -->\n- [ ] b\n- [ ] c\n"
        "- [ ] d\n  <!-- depends: 2.1 -->\n## Phase 3: C\n- [ ] e\n"
    )
    assert waves(text) == [["1.1"], ["2.1", "2.2"], ["2.3"], ["3.1"]]


def test_stated_needs_replace_the_chain() -> None:
    text = (
        "## Phase 1: A\n- [ ] a\n- [ ] b\n  <!-- depends: none -->\n"
        "- [ ] c\n  <!-- depends: 1.1 -->\n- [ ] d\n"
    )
    found = graph(text)
    assert [list(wave) for wave in found.waves] == [["1.1", "1.2"], ["1.3"], ["1.4"]]
    assert unit(found, "1.4").needs == ("1.2", "1.3")


def test_phases_that_state_their_needs_run_side_by_side() -> None:
    text = (
        "## Phase 1: A\n- [ ] a\n## Phase 2: B\n- [ ] b\n"
        "## Phase 3: C\n<!-- depends: phase1 -->\n- [ ] c\n## Phase 4: D\n- [ ] d\n"
    )
    found = graph(text)
    assert [list(wave) for wave in found.waves] == [["1.1"], ["2.1", "3.1"], ["4.1"]]
    assert unit(found, "4.1").needs == ("2.1", "3.1")


def test_phase_may_wait_for_a_task() -> None:
    text = "## Phase 1: A\n- [ ] a\n- [ ] b\n## Phase 2: B\n<!-- depends: task 1.1 -->\n- [ ] c\n"
    assert waves(text) == [["1.1"], ["1.2", "2.1"]]


def test_gate_waits_for_its_phase_and_all_after_it_wait_for_the_gate() -> None:
    text = (
        "## Phase 1: A\n<!-- execution: parallel -->\n- [ ] a\n- [ ] b\n" + GATE + "- [ ] c\n"
        "  <!-- depends: 1.1 -->\n## Phase 2: B\n- [ ] d\n  <!-- depends: none -->\n"
    )
    found = graph(text)
    assert [list(wave) for wave in found.waves] == [["1.1", "1.2"], ["1.3"], ["1.4", "2.1"]]
    gate = unit(found, "1.3")
    assert (gate.kind, gate.needs, gate.covers) == (Kind.GATE, ("1.1", "1.2"), ("1.1", "1.2"))
    assert unit(found, "2.1").needs == ("1.3",)


def test_p_marks_run_side_by_side() -> None:
    text = "## Phase 1: A\n- [ ] a\n- [ ] [P] b\n- [ ] [P] c\n- [ ] d\n"
    assert waves(text) == [["1.1"], ["1.2", "1.3"], ["1.4"]]


def test_declared_overlap_is_serialised_with_the_reason() -> None:
    text = (
        "## Phase 1: A\n<!-- execution: parallel -->\n"
        "- [ ] a\n  <!-- files: src/ -->\n- [ ] b\n  <!-- files: src/b.py, x.md -->\n"
        "- [ ] c\n  <!-- files: docs/c.md -->\n- [ ] d\n  <!-- files: src/b.py -->\n"
    )
    found = graph(text)
    assert [list(wave) for wave in found.waves] == [["1.1", "1.3"], ["1.2"], ["1.4"]]
    assert unit(found, "1.2").why == ("may write src/b.py as 1.1 does",)
    assert unit(found, "1.4").needs == ("1.1", "1.2")
    assert [w.code for w in found.warnings] == ["overlap", "overlap", "overlap"]


def test_mentioned_overlap_of_a_parallel_phase_is_told_and_not_changed() -> None:
    text = "## Phase 1: A\n<!-- execution: parallel -->\n- [ ] Extend `a.py`\n- [ ] Test `a.py`\n"
    found = graph(text)
    assert len(found.waves) == 1
    assert [w.text for w in found.warnings] == ["1.2 runs beside 1.1, and both mention a.py"]


@pytest.mark.parametrize(
    ("left", "right", "clash"),
    [
        ("src/**", "src/a.py", True),
        ("src/*.py", "src/sub/b.py", True),
        ("*.md", "src/a.py", True),
        ("src/a.py", "src/ab.py", False),
        ("src", "src2/a.py", False),
        ("a/b", "a/b/c/d", True),
        ("a/b/c/d", "a/b", True),
    ],
)
def test_paths_and_patterns_overlap(left: str, right: str, clash: bool) -> None:
    text = (
        "## Phase 1: A\n<!-- execution: parallel -->\n"
        f"- [ ] a\n  <!-- files: {left} -->\n- [ ] b\n  <!-- files: {right} -->\n"
    )
    assert len(waves(text)) == (2 if clash else 1)


def test_phase_units_end_at_gates_and_checks() -> None:
    text = (
        "## Phase 1: A\n- [ ] a\n- [ ] b\n- [ ] Run all tests\n- [ ] c\n" + GATE + "- [ ] d\n"
        "## Phase 2: B\n- [ ] e\n"
    )
    found = graph(text, "phase")
    assert [unit.tasks for unit in found.units] == [
        ("1.1", "1.2"),
        ("1.3",),
        ("1.4",),
        ("1.5",),
        ("1.6",),
        ("2.1",),
    ]
    assert [str(unit.kind) for unit in found.units][1] == "check"


def test_auto_joins_small_neighbours_up_to_a_bound() -> None:
    text = "## Phase 1: A\n" + "- [ ] a\n" * 6
    assert [len(unit.tasks) for unit in graph(text, "auto").units] == [4, 2]


def test_auto_keeps_a_test_with_its_implementation() -> None:
    text = (
        "## Phase 1: A\n- [ ] Build the store\n- [ ] Write tests for the parser\n"
        "- [ ] Implement the parser\n- [ ] Write tests for the view\n- [ ] Implement the view\n"
    )
    assert [unit.tasks for unit in graph(text, "auto").units] == [
        ("1.1",),
        ("1.2", "1.3"),
        ("1.4", "1.5"),
    ]


def test_auto_leaves_declared_parallelism_alone() -> None:
    text = "## Phase 1: A\n<!-- execution: parallel -->\n- [ ] a\n- [ ] b\n- [ ] c\n"
    assert waves(text, "auto") == [["1.1", "1.2", "1.3"]]


def test_roles_follow_plain_wording() -> None:
    text = (
        "- [ ] Write unit tests for the parser\n- [ ] Update README.md\n"
        "- [ ] Research the API\n- [ ] Build it\n- [ ] Code review\n"
        "- [ ] Create a smoke test\n  - [ ] Implement the example\n"
    )
    roles = [unit.role for unit in graph(text).units]
    assert roles == ["tester", "docs", "researcher", "implementer", "reviewer", "implementer"]


def test_speedup_and_critical_path() -> None:
    text = (
        "## Phase 1: A\n<!-- execution: parallel -->\n- [ ] a\n- [ ] b\n  - x\n  - y\n"
        "## Phase 2: B\n- [ ] c\n"
    )
    found = graph(text)
    assert found.critical_path == ("1.2", "2.1")
    assert found.speedup == pytest.approx(14 / 10)


def test_nothing_open_is_an_empty_graph() -> None:
    found = graph("- [x] a\n")
    assert (found.units, found.waves, found.speedup) == ((), (), 1.0)


def test_inference_parallelises_disjoint_mentions() -> None:
    text = (
        "## Phase 1: A\n- [ ] Build `src/a.py`\n- [ ] Build `src/b.py`\n- [ ] Extend `src/a.py`\n"
        "- [ ] Join it all\n"
    )
    found = graph(text, parallel="infer")
    assert [list(wave) for wave in found.waves] == [["1.1", "1.2"], ["1.3"], ["1.4"]]
    assert unit(found, "1.3").why == ("may write src/a.py as 1.1 does",)
    assert waves(text) == [["1.1"], ["1.2"], ["1.3"], ["1.4"]]


def test_inference_keeps_tests_before_their_implementation() -> None:
    text = (
        "## Phase 1: A\n- [ ] Write tests in `tests/test_a.py`\n- [ ] Implement `src/a.py`\n"
        "- [ ] Document `docs/a.md`\n"
    )
    assert waves(text, parallel="infer") == [["1.1"], ["1.2"], ["1.3"]]


def test_inference_keeps_gates() -> None:
    text = "## Phase 1: A\n- [ ] `a.py`\n- [ ] `b.py`\n" + GATE + "- [ ] `c.py`\n"
    assert waves(text, parallel="infer") == [["1.1", "1.2"], ["1.3"], ["1.4"]]


@pytest.mark.parametrize(("unit", "parallel"), [("file", "infer"), ("auto", "guess")])
def test_unknown_modes_are_refused(unit: str, parallel: str) -> None:
    with pytest.raises(InvalidSettings):
        build(parse(b"- [ ] a\n"), unit=unit, parallel=parallel)
