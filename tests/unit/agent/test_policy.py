"""Default deny: role, tool, operation, path."""

from __future__ import annotations

from typing import Any

import pytest

from fanfold.agent.policy import Decision, Policy
from fanfold.agent.roles import Role, load_role
from fanfold.agent.tools import TOOLS
from fanfold.run.attempt import Context, Purpose
from tests.unit.agent.conftest import a_context

READER = Role("reader", "", ("read", "grep"), "")


def decide(
    tool: str, *paths: str, role: Role | None = None, context: Context | None = None, **given: Any
) -> Decision:
    policy = Policy(role or load_role("implementer"), context or a_context(), shell=True, **given)
    return policy.decide(TOOLS[tool], paths)


def test_a_role_has_only_its_tools() -> None:
    assert decide("read", "a.py", role=READER).allowed
    denied = decide("write", "a.py", role=READER)
    assert not denied.allowed
    assert denied.why == "the role reader has no write; it has grep, read, submit"


def test_every_role_may_submit() -> None:
    assert decide("submit", role=Role("none", "", (), "")).allowed


@pytest.mark.parametrize(("wanted", "there"), [(True, False), (False, True)])
def test_no_shell_unless_wanted_and_there(wanted: bool, there: bool) -> None:
    policy = Policy(load_role("implementer"), a_context(shell=wanted), shell=there)
    assert not policy.decide(TOOLS["bash"], ()).allowed
    assert "bash" not in [tool.name for tool in policy.tools(TOOLS)]


def test_a_shell_where_wanted_and_there() -> None:
    assert decide("bash", context=a_context(shell=True)).allowed


def test_a_picker_writes_nothing() -> None:
    denied = decide("edit", "a.py", context=a_context(purpose=Purpose.PICK))
    assert denied.why == "edit is not available here: this attempt may only read, submit"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "~/.ssh/id",
        "C:\\x",
        "c:/x",
        "a\0b",
        "a\nb",
        ".git/config",
        ".GIT/hooks/pre-commit",
        "./.git",
        "vendor/lib/.Git/config",
        ".git./x",
        ".git /x",
    ],
)
@pytest.mark.parametrize("tool", ["read", "write", "grep"])
def test_paths_that_are_never_allowed(tool: str, path: str) -> None:
    assert not decide(tool, path).allowed


@pytest.mark.parametrize(
    "path",
    [
        "conductor/tracks/x/plan.md",
        "./conductor//tracks/x/plan.md",
        ".ai-workspace/events/e.jsonl",
        ".AI-Workspace/x",
        ".ai-workspace",
    ],
)
def test_control_files_can_be_read_but_not_written(path: str) -> None:
    denied = decide("write", path)
    assert not denied.allowed
    assert "fanfold itself ticks the plan" in denied.why
    assert decide("read", path).allowed


def test_other_files_of_the_track_are_ordinary() -> None:
    assert decide("write", "conductor/tracks/x/notes.md").allowed


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("src/a.py", True),
        ("src/deep/b.py", True),
        ("docs/x.md", True),
        ("setup.py", False),
        ("srcs/a.py", False),
        ("docs/x.txt", False),
    ],
)
def test_the_declared_write_set_is_enforced(path: str, allowed: bool) -> None:
    context = a_context(writes=("src", "docs/*.md"))
    decision = decide("edit", path, context=context)
    assert decision.allowed is allowed
    assert allowed or "may write: src, docs/*.md" in decision.why
    assert decide("read", path, context=context).allowed


@pytest.mark.parametrize("tool", ["read", "write"])
def test_denied_context_is_neither_read_nor_written(tool: str) -> None:
    context = a_context(context_deny=("secrets/**", "*.pem"))
    assert not decide(tool, "secrets/key", context=context).allowed
    assert not decide(tool, "server.pem", context=context).allowed
    assert decide(tool, "server.py", context=context).allowed


def test_spilled_output_is_read_only() -> None:
    assert decide("read", ".fanfold/output/1.txt").allowed
    assert not decide("write", ".fanfold/output/1.txt").allowed


def test_the_root_can_be_searched_but_not_written() -> None:
    assert decide("grep", "").allowed
    assert decide("glob", ".").allowed
    assert not decide("write", ".").allowed
