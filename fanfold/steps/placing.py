"""Placing: which roles have a shell in this run, and whether there is a place for each unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.agent.roles import load_role, project_role, role_names, ruled
from fanfold.run.events import RunAdmitted, RunRejected
from fanfold.run.offer import check_problem, image_problem, model_problem, prepare_problem
from fanfold.steps.context import find_role

if TYPE_CHECKING:
    from fanfold.steps.request import Request
    from fanfold.steps.wiring import Wiring


def placed(admitted: RunAdmitted, request: Request, wiring: Wiring) -> RunAdmitted | RunRejected:
    """The admission with what decides about places; a refusal where a unit has none here.

    Or where a model is not to be had in this deployment, or the environment cannot be made there.

    A deployment without containers has no shell for anybody: its roles work with file tools.
    """
    problem = model_problem(wiring.offer, request.named_models) if wiring.offer else None
    if not problem and request.prepare and (wiring.has_containers or request.has_checks):
        hosts, containers = request.prepare_network, wiring.has_containers
        problem = prepare_problem(wiring.offer, hosts, containers=containers)
    problem = problem or image_problem(wiring.offer, request.image)
    if not problem and request.options.engine == "aws":
        problem = check_problem(request.checks)
    if problem:
        return RunRejected(problem)
    shells = tuple(name for name in role_names() if _has_shell(name, request, wiring))
    options = replace(admitted.options, shells=shells, containers=wiring.has_containers)
    if not wiring.has_containers:
        for unit in admitted.units:
            if unit.kind == "work" and unit.role in shells:
                return RunRejected(
                    f"unit {unit.id}: the role {unit.role!r} has a shell, and this deployment has "
                    "the profile lite, which has none: deploy the profile full, or leave bash out "
                    f"of `tools` in [roles.{unit.role}] of fanfold.toml"
                )
    return replace(admitted, options=options)


def _has_shell(name: str, request: Request, wiring: Wiring) -> bool:
    rules = request.rules_for(name)
    own = find_role(lambda p: wiring.repository.read(request.base_tree, p), rules.agent or name)
    role = load_role(name)
    return ruled(project_role(role, own[1]) if own else role, rules).has_shell
