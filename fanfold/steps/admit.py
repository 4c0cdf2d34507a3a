"""Admit: parse the plan, build its graph, and record what the run is made of."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from fanfold.errors import ArtifactMissing, InvalidPlan
from fanfold.plan import formats
from fanfold.plan.control import asks_for_control, control_files
from fanfold.plan.graph import build
from fanfold.run.artifacts import run_file
from fanfold.run.events import RunAdmitted, RunRejected, TaskSpec, UnitSpec
from fanfold.steps.fold_tracks import parts_admitted
from fanfold.steps.placing import placed
from fanfold.steps.request import PLAN, load_plan, load_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanfold.plan.model import Plan, Unit
    from fanfold.ports import SecretScanner
    from fanfold.steps.journal import Journal
    from fanfold.steps.request import Request
    from fanfold.steps.wiring import Wiring


def admit(journal: Journal, wiring: Wiring) -> None:
    """Append `run_admitted`, or `run_rejected` for a plan that cannot run."""
    request = load_request(wiring.artifacts, journal.run_id)
    if request.parts:
        journal.append(*parts_admitted(request, wiring))
        return
    try:
        plan = formats.parse(_plan(request, wiring), request.plan_path)
        admitted = admission(plan, request)
    except InvalidPlan as error:
        journal.append(RunRejected(str(error)))
        return
    journal.append(placed(admitted, request, wiring))


def _plan(request: Request, wiring: Wiring) -> bytes:
    """As it was handed in, or else as it is in the base.

    Raises:
        InvalidPlan: the base has none there, or another one than was asked for; or it has a secret.
    """
    try:
        handed_in = load_plan(wiring.artifacts, request)
        require_no_secret(request.plan_path, handed_in, wiring.secrets)
        return handed_in
    except ArtifactMissing:
        found = wiring.repository.read(request.base_tree, request.plan_path)
    if found is None:
        raise InvalidPlan(request.plan_path, 0, f"there is no such file in {request.base}")
    if hashlib.sha256(found).hexdigest() != request.plan_sha256:
        raise InvalidPlan(
            request.plan_path, 0, f"is another one in {request.base} than was asked for"
        )
    require_no_secret(request.plan_path, found, wiring.secrets)
    wiring.artifacts.put(run_file(request.run_id, PLAN), found)
    return found


def require_no_secret(path: str, plan: bytes, secrets: SecretScanner) -> None:
    """Raises `InvalidPlan`: what a plan says goes into logs, prompts and commits."""
    for found in secrets.find(plan.decode("utf-8", "replace")):
        problem = f"holds a secret ({found.kind}): plans go into logs, prompts and commits"
        raise InvalidPlan(path, found.line, f"{problem}; take it out")


def admission(plan: Plan, request: Request) -> RunAdmitted:
    """What the run is made of.

    Raises:
        InvalidPlan: a cycle, a reference to nothing, or `only` naming no open task.
    """
    options = request.options
    graph = build(plan, unit=options.unit, parallel=options.parallel, predicted=request.predicted)
    units = _chosen(graph.units, plan, request)
    names = {u.id for u in units}
    titles = {t.id: t.title for t in plan.tasks}
    specs = tuple(
        UnitSpec(
            id=unit.id,
            tasks=unit.tasks,
            needs=tuple(n for n in unit.needs if n in names),
            kind=_kind(unit, plan),
            order=order,
            title="; ".join(titles[t] for t in unit.tasks),
            writes=unit.writes,
            role=unit.role,
            covers=tuple(c for c in unit.covers if c in names),
            minutes=unit.minutes,
        )
        for order, unit in enumerate(units)
    )
    return RunAdmitted(
        base_tree=request.base_tree,
        units=specs,
        tasks=tuple(
            TaskSpec(t.id, t.title, t.phase, t.kind.value, t.state.value, t.line)
            for t in plan.tasks
        ),
        limits=request.limits,
        checks=request.checks,
        options=request.options,
        control_files=control_files(request.plan_path),
    )


def _chosen(units: Iterable[Unit], plan: Plan, request: Request) -> list[Unit]:
    only = set(request.options.only)
    units = list(units)
    if not only:
        return units
    unknown = only - {t.id for t in plan.tasks}
    if unknown:
        raise InvalidPlan(plan.path, 0, f"no task {sorted(unknown)[0]!r}")
    return [u for u in units if only & set(u.tasks)]


def _kind(unit: Unit, plan: Plan) -> str:
    """A task that asks for a control file or the workflow itself is held for a person."""
    tasks = {t.id: t for t in plan.tasks}
    if any(asks_for_control(tasks[t].title, plan.text(tasks[t])) for t in unit.tasks):
        return "gate"
    return unit.kind.value
