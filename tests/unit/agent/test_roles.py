"""Roles from Markdown with front matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.agent.prompt import harness_rules
from fanfold.agent.roles import load_role, parse_role
from fanfold.errors import UserError

BUILT_IN = ["arbiter", "docs", "implementer", "researcher", "reviewer", "tester"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_roles_are_whole_and_small(name: str) -> None:
    role = load_role(name)
    assert role.name == name
    assert role.description
    assert {"read", "grep"} <= set(role.tools)
    assert len(harness_rules() + role.prompt) / 4 < 1_200


def test_an_unknown_role_names_those_there_are() -> None:
    with pytest.raises(UserError, match="no role 'wizard'; there are arbiter, docs"):
        load_role("wizard")


@pytest.mark.parametrize(
    ("line", "tools"),
    [
        ("tools: Read, Edit, Bash", ("read", "edit", "bash")),
        ("tools: [Read, 'Grep']", ("read", "grep")),
        ("tools:\n  - Read\n  - Write", ("read", "write")),
        ("tools: Read, WebFetch, Task, Bash(git status:*)", ("read", "bash")),
        ("tools: MultiEdit", ("edit",)),
        ("tools:", ()),
        ("color: red", ("read", "glob", "grep")),
    ],
)
def test_tools_of_the_front_matter(line: str, tools: tuple[str, ...]) -> None:
    assert parse_role(f"---\nname: x\n{line}\n---\nBody\n", "x").tools == tools


def test_reads_names_models_and_folded_descriptions() -> None:
    text = '---\nname: "a"\ndescription: >\n  One\n  two: three\nmodel: opus\n---\n\nBe good.\n'
    role = parse_role(text, "file")
    assert (role.name, role.description, role.model) == ("a", "One\ntwo: three", "opus")
    assert role.prompt == "Be good."
    assert parse_role("---\nmodel: inherit\n---\n", "file").model == ""


@pytest.mark.parametrize("text", ["", "Body", "---\nname: x\n", "\n---\nname: x\n---\n"])
def test_no_front_matter_is_an_error(text: str) -> None:
    with pytest.raises(UserError, match="front matter"):
        parse_role(text, "x")


REAL = sorted(Path("../shared/data/plan-formats/claude_agents").rglob("agents/*.md"))


@pytest.mark.skipif(not REAL, reason="no shared data here")
def test_real_agent_definitions_are_read() -> None:
    for path in REAL:
        text = path.read_text("utf-8")
        if text.startswith("---"):
            role = parse_role(text, path.stem)
            assert role.name
            assert role.prompt
