"""What a project's `[roles]` make of the built-in roles: role, tool, operation, path."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from fanfold.agent.policy import Policy
from fanfold.agent.prompt import render
from fanfold.agent.roles import load_role, role_names, ruled
from fanfold.agent.tools import TOOLS
from fanfold.errors import InvalidSettings
from fanfold.run.attempt import Purpose, RoleRules
from fanfold.settings import load
from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import DONE, Attempt, a_context, reply, use

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.agent.policy import Decision

OPERATIONS = {
    "read": "read",
    "glob": "read",
    "grep": "read",
    "write": "write",
    "edit": "write",
    "bash": "run",
    "submit": "submit",
}
BUILT_IN = {
    "arbiter": "read write edit glob grep bash submit",
    "docs": "read write edit glob grep submit",
    "implementer": "read write edit glob grep bash submit",
    "researcher": "read write edit glob grep submit",
    "reviewer": "read write glob grep bash submit",
    "tester": "read write edit glob grep bash submit",
}
RULES = {
    "": RoleRules(),
    "no tools": RoleRules(tools=()),
    "looks": RoleRules(tools=("read", "grep")),
    "reads": RoleRules(operations=("read",)),
    "never runs": RoleRules(operations=("read", "write")),
    "bounded": RoleRules(writes=("docs/**",)),
    "bounded, runs": RoleRules(writes=("docs/**",), operations=("write", "run")),
}


def policy(role: str, rules: RoleRules, purpose: Purpose = Purpose.WORK) -> Policy:
    context = a_context(role=role, rules=rules, purpose=purpose, shell=True)
    return Policy(ruled(load_role(role), rules), context, shell=True)


def decide(rules: RoleRules, tool: str, path: str) -> Decision:
    return policy("implementer", rules).decide(TOOLS[tool], (path,))


def test_the_table_knows_every_role_and_tool() -> None:
    assert set(BUILT_IN) == set(role_names())
    assert {name: tool.operation.value for name, tool in TOOLS.items()} == OPERATIONS


@pytest.mark.parametrize(
    ("role", "rule", "purpose"), list(product(BUILT_IN, RULES, (Purpose.WORK, Purpose.PICK)))
)
def test_a_call_is_allowed_by_tool_and_operation_alone(
    role: str, rule: str, purpose: Purpose
) -> None:
    rules = RULES[rule]
    has = set(BUILT_IN[role].split() if rules.tools is None else rules.tools) | {"submit"}
    operations = set(rules.operations or ("read", "write", "run")) | {"submit"}
    if purpose is Purpose.PICK:
        operations.discard("write")
    if rule == "bounded":
        operations.discard("run")
    judge = policy(role, rules, purpose)
    allowed = {name for name in TOOLS if judge.decide(TOOLS[name], ()).allowed}
    assert allowed == {name for name in has if OPERATIONS[name] in operations}
    assert [tool.name for tool in judge.tools(TOOLS)] == [n for n in TOOLS if n in allowed]


BOUNDED = RoleRules(reads=("src/**", "docs/**"), writes=("docs/**", "notes.md"))


@pytest.mark.parametrize(
    ("tool", "path", "said"),
    [
        ("read", "src/a.py", ""),
        ("read", "notes.md", ""),
        ("read", ".fanfold/output/1.txt", ""),
        ("read", "setup.py", "may read: src/**, docs/**, docs/**, notes.md"),
        ("write", "docs/a.md", ""),
        ("edit", "notes.md", ""),
        ("edit", "src/a.py", "the role implementer may write: docs/**, notes.md"),
        ("write", "../docs/a.md", "leaves the repository"),
        ("write", "docs/.git/x", "belongs to git"),
        ("glob", "", ""),
        ("grep", "src", ""),
    ],
)
def test_paths_of_a_role(tool: str, path: str, said: str) -> None:
    decision = decide(BOUNDED, tool, path)
    assert decision.allowed == (said == "")
    assert said in decision.why


def test_a_role_never_widens_what_its_task_may_write() -> None:
    context = a_context(writes=("src/**",))
    judge = Policy(ruled(load_role("docs"), RoleRules(writes=("**",))), context, shell=False)
    assert not judge.decide(TOOLS["write"], ("docs/a.md",)).allowed
    assert judge.decide(TOOLS["write"], ("src/a.md",)).allowed


def test_searches_and_the_map_show_what_the_role_may_read(attempt: Attempt) -> None:
    attempt.workspace = MemoryWorkspace({"src/a.py": "one\n", "private.py": "one\n"})
    attempt.context = a_context(rules=RoleRules(reads=("src/**",)))
    attempt.run(reply(use("glob", "1", pattern="**/*.py"), use("grep", "2", pattern="one")), DONE)
    assert "src/a.py\n1:one" in attempt.told()
    assert "private.py" not in str(attempt.model.requests)


def test_bounds_are_told_before_they_are_met() -> None:
    role = ruled(load_role("docs"), BOUNDED)
    told = str(render(a_context(), role, []).system)
    assert "your role may write only: docs/**, notes.md" in told
    assert "may write only" not in str(render(a_context(), load_role("docs"), []).system)


def test_rules_are_read_from_fanfold_toml(tmp_path: Path) -> None:
    (tmp_path / "fanfold.toml").write_text(
        '[roles.reviewer]\ntools = ["read"]\nwrites = ["reviews/**"]\n'
        'model = "small"\neffort = "low"\n'
    )
    assert load(tmp_path, {}).roles == {
        "reviewer": RoleRules(("read",), writes=("reviews/**",), model="small", effort="low")
    }


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[roles.wizard]", "roles.wizard: no such role; there are arbiter"),
        ('[roles.docs]\ntools = ["spawn"]', "'spawn'"),
        ('[roles.docs]\noperations = ["submit"]', "'submit'"),
        ("[roles.docs]\nwrite = []", "unknown field `write`"),
    ],
)
def test_rules_that_say_nothing_are_refused(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "fanfold.toml").write_text(table)
    with pytest.raises(InvalidSettings) as refused:
        load(tmp_path, {})
    assert said in str(refused.value)
    assert "fanfold.toml" in str(refused.value)
