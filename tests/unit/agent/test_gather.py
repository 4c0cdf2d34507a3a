"""What a unit's attempt is told of its project."""

from __future__ import annotations

from typing import Any

from fanfold.agent.gather import Gathered, gather
from fanfold.plan.model import Kind, Phase, Plan, Span, Task, TaskState

FILES = {
    "AGENTS.md": "Root rules.",
    "CLAUDE.md": "Root rules.\n",
    "web/AGENTS.md": "Web rules.",
    "web/api/GEMINI.md": "API rules.",
    "other/AGENTS.md": "Other rules.",
    "conductor/product.md": "A shop.",
    "conductor/tech-stack.md": "Python",
    "conductor/workflow.md": "Write tests first.\n\n- git commit everything\n",
    "conductor/code_styleguides/general.md": "Be kind.",
    "conductor/code_styleguides/python.md": "Black.",
    "conductor/code_styleguides/go.md": "gofmt.",
    "conductor/tracks/x/spec.md": "The spec.",
}


def task(id_: str, **changes: Any) -> Task:
    fields: dict[str, Any] = {
        "id": id_,
        "key": id_,
        "title": f"Task {id_}",
        "phase": "p1",
        "state": TaskState.OPEN,
        "kind": Kind.WORK,
        "line": 1,
        "mark": None,
        "line_span": Span(0, 0),
        "span": Span(0, 0),
    }
    return Task(**{**fields, **changes})


def plan(*tasks: Task, path: str = "conductor/tracks/x/plan.md") -> Plan:
    phases = (Phase("p1", "Build", 1, None), Phase("p2", "Polish", 9, None))
    return Plan(path, b"", "", "Plan", phases, tasks)


def gathered(of: Plan, *tasks: str, **more: Any) -> Gathered:
    mine = [task for task in of.tasks if task.id in tasks]
    return gather(lambda path: FILES[path].encode() if path in FILES else None, of, mine, **more)


def names(result: Gathered) -> list[str]:
    return [name for name, _ in result.instructions]


def test_project_files_come_first_and_equal_texts_once() -> None:
    assert names(gathered(plan(task("1")), "1")) == [
        "AGENTS.md",
        "conductor/product.md",
        "conductor/tech-stack.md",
        "conductor/workflow.md",
        "conductor/code_styleguides/general.md",
    ]


def test_what_is_touched_brings_its_folders_rules_and_its_languages_guide() -> None:
    mine = task("1", mentions=("web/api/views.py",), writes=("web/**",))
    assert names(gathered(plan(mine, task("2")), "1"))[4:] == [
        "conductor/code_styleguides/general.md",
        "conductor/code_styleguides/python.md",
        "web/AGENTS.md",
        "web/api/GEMINI.md",
    ]
    assert "web/AGENTS.md" not in names(gathered(plan(mine, task("2")), "2"))


def test_the_workflow_is_translated() -> None:
    workflow = dict(gathered(plan(task("1")), "1").instructions)["conductor/workflow.md"]
    assert "Write tests first." in workflow
    assert "git commit" not in workflow


def test_the_spec_beside_the_plan() -> None:
    assert gathered(plan(task("1")), "1").spec == "The spec."
    assert gathered(plan(task("1"), path="plan.md"), "1").spec == ""


def test_a_plan_elsewhere_still_finds_the_project() -> None:
    assert "conductor/product.md" in names(gathered(plan(task("1"), path="todo/plan.md"), "1"))


def test_denied_files_are_not_read() -> None:
    result = gathered(plan(task("1")), "1", deny=("**/spec.md", "AGENTS.md", "CLAUDE.md"))
    assert result.spec == ""
    assert "AGENTS.md" not in names(result)


def test_the_outline_has_phases_marks_and_states() -> None:
    tasks = (
        task("1", state=TaskState.DONE),
        task("2"),
        task("3", state=TaskState.IN_PROGRESS),
        task("4", phase="p2"),
    )
    assert gathered(plan(*tasks), "2", states={"3": "merged"}).outline == (
        "Build:",
        "  [x] Task 1",
        "  [ ] Task 2 (this is yours)",
        "  [~] Task 3 (merged)",
        "Polish:",
        "  [ ] Task 4",
    )
