"""A run is refused where a role of its units has no place; what has one is told to the decider."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from msgspec.structs import replace

from fanfold.run.attempt import RoleRules
from fanfold.run.events import CheckSpec, RunAdmitted, RunLimits, RunOptions, RunRejected, UnitSpec
from fanfold.run.offer import LONGEST_CHECK_S, Offered
from fanfold.steps.placing import placed
from fanfold.steps.request import Request

if TYPE_CHECKING:
    from fanfold.steps.wiring import Wiring

LIMITS = RunLimits(cap=1_000_000)
FILES_ALONE = RoleRules(tools=("read", "write", "edit", "glob", "grep"))
OWN_FILE = b"---\nname: implementer\ntools: Read, Edit\n---\nYou work.\n"


def place(
    *roles: str,
    containers: bool,
    rules: dict[str, RoleRules] | None = None,
    file: bytes = b"",
    models: tuple[str, ...] = (),
    egress: tuple[str, ...] = (),
    base: str = "",
    **asked: Any,
) -> RunAdmitted | RunRejected:
    files = {".claude/agents/implementer.md": file}

    def read(_: str, path: str) -> bytes | None:
        return files.get(path)

    repository = SimpleNamespace(read=read)
    offer = Offered(
        profile="full",
        provider="bedrock",
        models=models,
        attempts=8,
        egress=egress,
        base_image=base,
    )
    ports = {"repository": repository, "has_containers": containers}
    wiring = cast("Wiring", SimpleNamespace(**ports, offer=offer if models else None))
    units = tuple(UnitSpec(f"1.{n}", (f"1.{n}",), role=r) for n, r in enumerate(roles, 1))
    request = Request("r1", "p", "plan.md", "0" * 64, "b", "t", "main", ("A", "a"), LIMITS)
    request = replace(request, roles=rules or {}, models={"": "claude-sonnet-5-5"}, **asked)
    return placed(RunAdmitted("t", units, (), LIMITS), request, wiring)


@pytest.mark.parametrize("role", ["implementer", "tester", "reviewer"])
def test_a_role_with_a_shell_is_refused_where_there_are_no_containers(role: str) -> None:
    refused = place("docs", role, containers=False)
    assert isinstance(refused, RunRejected)
    for part in ("1.2", repr(role), "lite", "full", f"[roles.{role}]"):
        assert part in refused.reason


def test_a_role_that_works_with_file_tools_is_admitted_everywhere() -> None:
    admitted = place("docs", "researcher", containers=False)
    assert isinstance(admitted, RunAdmitted)
    assert not admitted.options.containers


@pytest.mark.parametrize(
    "kept", [{"rules": {"implementer": FILES_ALONE}}, {"file": OWN_FILE}], ids=["rules", "file"]
)
def test_the_project_can_take_the_shell_from_a_role(kept: dict[str, object]) -> None:
    admitted = place("implementer", containers=False, **kept)  # pyright: ignore[reportArgumentType]
    assert isinstance(admitted, RunAdmitted)
    assert "implementer" not in admitted.options.shells


def test_a_model_that_is_not_deployed_is_refused_whichever_role_it_plays() -> None:
    sonnet, opus = "anthropic.claude-sonnet-5-5", RoleRules(model="claude-opus-5-5")
    assert isinstance(place("docs", containers=True, models=(sonnet,)), RunAdmitted)
    refused = place("docs", containers=True, models=(sonnet,), rules={"arbiter": opus})
    assert isinstance(refused, RunRejected)
    assert 'add "anthropic.claude-opus-5-5" to `models`' in refused.reason


def test_where_there_are_containers_every_role_has_a_place() -> None:
    admitted = place("implementer", "reviewer", containers=True)
    assert isinstance(admitted, RunAdmitted)
    assert admitted.options.containers
    assert set(admitted.options.shells) == {"arbiter", "implementer", "reviewer", "tester"}


SONNET = "anthropic.claude-sonnet-5-5"
PREPARE: dict[str, Any] = {
    "prepare": ("uv sync",),
    "prepare_network": ("pypi.org", "files.pythonhosted.org"),
}
CHECKED: dict[str, Any] = {"checks": (CheckSpec("make test"),)}


def test_prepare_is_refused_where_nothing_can_be_prepared_for_checks() -> None:
    refused = place("docs", containers=False, **PREPARE, **CHECKED)
    assert isinstance(refused, RunRejected)
    for part in ("[prepare]", "lite", "full", "FANFOLD_PREPARE_COMMANDS"):
        assert part in refused.reason
    assert isinstance(place("docs", containers=False, **PREPARE), RunAdmitted)


def test_hosts_of_prepare_must_be_within_the_egress() -> None:
    def asked(*egress: str) -> RunAdmitted | RunRejected:
        return place("docs", containers=True, models=(SONNET,), egress=egress, **PREPARE)

    assert isinstance(asked("pypi.org", "*.pythonhosted.org"), RunAdmitted)
    refused = asked("pypi.org")
    assert isinstance(refused, RunRejected)
    for part in ("files.pythonhosted.org", "egress", "cdk.json", "[prepare]"):
        assert part in refused.reason
    assert "pypi.org," not in refused.reason


def test_a_check_that_outlasts_every_place_for_it_is_refused() -> None:
    cloud = RunOptions(engine="aws")

    def asked(timeout_s: float) -> RunAdmitted | RunRejected:
        checks = (CheckSpec("make test"), CheckSpec("make slow", timeout_s=timeout_s))
        return place("docs", containers=True, checks=checks, options=cloud)

    assert isinstance(asked(LONGEST_CHECK_S), RunAdmitted)
    refused = asked(LONGEST_CHECK_S + 1)
    assert isinstance(refused, RunRejected)
    assert "'make slow' may take 781 s" in refused.reason
    here = place("docs", containers=True, checks=(CheckSpec("make slow", timeout_s=9e9),))
    assert isinstance(here, RunAdmitted)


def test_a_repository_runs_where_its_image_is_and_nowhere_else() -> None:
    needs: dict[str, Any] = {"models": (SONNET,), "image": "example.com/jdk:21"}
    assert isinstance(
        place("docs", containers=True, base="example.com/jdk:21", **needs), RunAdmitted
    )
    refused = place("docs", containers=True, **needs)
    assert isinstance(refused, RunRejected)
    for part in ("'example.com/jdk:21'", "'the usual one'", "base_image", "`stack` in [cloud]"):
        assert part in refused.reason
