"""From a plan to the units that run, what each waits for, and the waves they form."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from fanfold.errors import InvalidSettings
from fanfold.plan import order, speckit, units, waves
from fanfold.plan.infer import Guess
from fanfold.plan.model import Graph, Kind, Plan, Predicted, Task, TaskState, Unit, Warning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanfold.plan.order import Edge

UNIT_MODES = ("auto", "task", "phase")
PARALLEL_MODES = ("declared", "infer")
OPEN_BELOW_DONE = "open_below_done"
_OPEN = (TaskState.OPEN, TaskState.IN_PROGRESS)


def build(
    plan: Plan,
    *,
    unit: str = "auto",
    parallel: str = "declared",
    predicted: Mapping[str, tuple[Predicted, ...]] = MappingProxyType({}),
) -> Graph:
    """The graph of the open tasks. Raises InvalidSettings for a mode that does not exist.

    `predicted` is by task id what it will probably write, for `infer` to go by.

    Done and skipped tasks count as met needs; `[~]` is stale and open; `[!]` holds back all that
    waits for it. No two units of a wave declare (with `infer`: seem to write) one file: the later
    waits, and `why` says so.
    """
    _require(unit, UNIT_MODES, "unit")
    _require(parallel, PARALLEL_MODES, "parallel")
    guess = Guess(predicted if parallel == "infer" else {})
    guessing = guess if parallel == "infer" else None
    unfinished = {task.id for task in plan.tasks if task.state in (*_OPEN, TaskState.BLOCKED)}
    needs = order.needs(plan, unfinished, guessing)
    blocked = _blocked(plan, needs)
    open_tasks = [task for task in plan.tasks if task.state in _OPEN and task.id not in blocked]
    groups = units.group(open_tasks, needs, unit)
    exact = plan.format == speckit.NAME
    touches = guess.writes if guessing else partial(units.touched, exact=exact)
    placed = waves.place(_units(groups, needs, plan), {g[0].id: touches(g) for g in groups})
    path, longest = waves.critical_path(placed.units)
    total = sum(unit.minutes for unit in placed.units)
    warnings = [
        *plan.warnings,
        *_state_warnings(plan, blocked),
        *_flag_warnings(open_tasks),
        *_file_warnings(placed, groups, guess),
    ]
    return Graph(
        units=placed.units,
        waves=placed.waves,
        critical_path=path,
        speedup=total / longest if longest else 1.0,
        warnings=tuple(sorted(warnings, key=lambda warning: warning.line)),
        needs={
            name: tuple(edge.before for edge in edges)
            for name, edges in order.needs(plan, guess=guessing).items()
        },
        blocked=tuple(task.id for task in plan.tasks if task.id in blocked and task.state in _OPEN),
        predicted={task.id: predicted[task.id] for task in open_tasks if task.id in predicted},
    )


def _require(value: str, known: Sequence[str], name: str) -> None:
    if value not in known:
        raise InvalidSettings(f"{name} must be one of {', '.join(known)}, not {value!r}")


def _blocked(plan: Plan, needs: dict[str, tuple[Edge, ...]]) -> dict[str, str]:
    """The tasks marked `[!]` and those that wait for them, each with the one that holds it back."""
    by = {task.id: task.id for task in plan.tasks if task.state is TaskState.BLOCKED}
    users: dict[str, list[str]] = {}
    for name, edges in needs.items():
        for edge in edges:
            users.setdefault(edge.before, []).append(name)
    waiting = list(by)
    while waiting:
        name = waiting.pop()
        for user in users.get(name, ()):
            if user not in by:
                by[user] = by[name]
                waiting.append(user)
    return by


def _units(
    groups: Sequence[list[Task]], needs: dict[str, tuple[Edge, ...]], plan: Plan
) -> list[Unit]:
    unit_of = {task.id: tasks[0].id for tasks in groups for task in tasks}
    return [_unit(tasks, unit_of, needs, plan) for tasks in groups]


def _unit(
    tasks: list[Task],
    unit_of: dict[str, str],
    needs: dict[str, tuple[Edge, ...]],
    plan: Plan,
) -> Unit:
    first = tasks[0]
    edges = [edge for task in tasks for edge in needs[task.id] if unit_of[edge.before] != first.id]
    covered = _covered(first, plan) if first.kind is Kind.GATE else ()
    return Unit(
        id=first.id,
        tasks=tuple(task.id for task in tasks),
        kind=first.kind,
        needs=tuple(dict.fromkeys(unit_of[edge.before] for edge in edges)),
        writes=units.writes(tasks),
        covers=tuple(dict.fromkeys(unit_of[name] for name in covered if name in unit_of)),
        role=units.role(tasks, plan),
        minutes=sum(map(units.minutes, tasks)),
        why=tuple(dict.fromkeys(edge.why for edge in edges)),
    )


def _covered(gate: Task, plan: Plan) -> tuple[str, ...]:
    """The tasks that a gate is about: those of its phase between the gate before it and itself."""
    kinds_of = {task.id: task.kind for task in plan.tasks}
    phase = next(phase for phase in plan.phases if phase.id == gate.phase)
    before = phase.tasks[: phase.tasks.index(gate.id)]
    gates = [index for index, name in enumerate(before) if kinds_of[name] is Kind.GATE]
    return before[gates[-1] + 1 if gates else 0 :]


def _state_warnings(plan: Plan, blocked: dict[str, str]) -> list[Warning]:
    warnings: list[Warning] = []
    for task in plan.tasks:
        if task.state is TaskState.BLOCKED:
            held = [name for name, by in blocked.items() if by == task.id and name != task.id]
            text = f"{task.id} is blocked; so is what waits for it: {', '.join(held) or 'nothing'}"
            warnings.append(Warning(task.line, "blocked", text))
        left = sum(box.state in _OPEN for box in task.boxes)
        if task.state is TaskState.DONE and left:
            text = f"{task.id} is marked done, so {left} open sub-task(s) below it are not run"
            warnings.append(Warning(task.line, OPEN_BELOW_DONE, text))
        if task.state is TaskState.IN_PROGRESS:
            text = f"{task.id} is marked [~] and counts as open"
            warnings.append(Warning(task.line, "stale", text))
    return warnings


def _file_warnings(
    placed: waves.Placement, groups: Sequence[list[Task]], guess: Guess
) -> list[Warning]:
    """Units that wait because of a file, and such as run side by side although they mention one."""
    lines = {tasks[0].id: tasks[0].line for tasks in groups}
    mentioned = {tasks[0].id: guess.writes(tasks) for tasks in groups}
    warnings = [Warning(lines[name], "overlap", text) for name, text in placed.overlaps]
    for later, earlier, path in waves.beside(placed.waves, mentioned):
        text = f"{later} runs beside {earlier}, and both mention {path or 'any file'}"
        warnings.append(Warning(lines[later], "mentions", text))
    return warnings


def _flag_warnings(tasks: list[Task]) -> list[Warning]:
    return [
        Warning(
            task.line, f"needs_{flag}", f"{task.id} seems to need what an agent has not: {flag}"
        )
        for task in tasks
        for flag in task.flags
    ]
