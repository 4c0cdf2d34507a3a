"""From a plan to the units that run, what each waits for, and the waves they form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import InvalidSettings
from fanfold.plan import infer, order, units
from fanfold.plan.model import Graph, Kind, Plan, Task, TaskState, Unit, Warning
from fanfold.plan.paths import Writers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanfold.plan.order import Edge

UNIT_MODES = ("auto", "task", "phase")
PARALLEL_MODES = ("declared", "infer")
_OPEN = (TaskState.OPEN, TaskState.IN_PROGRESS)


def build(plan: Plan, *, unit: str = "auto", parallel: str = "declared") -> Graph:
    """The graph of the open tasks. Raises InvalidSettings for a mode that does not exist.

    Done and skipped tasks count as met needs; `[~]` is stale and open; `[!]` holds back all that
    waits for it. No two units of a wave declare (with `infer`: seem to write) one file: the later
    waits, and `why` says so.
    """
    _require(unit, UNIT_MODES, "unit")
    _require(parallel, PARALLEL_MODES, "parallel")
    clash = infer.clash if parallel == "infer" else None
    unfinished = {task.id for task in plan.tasks if task.state in (*_OPEN, TaskState.BLOCKED)}
    needs = order.needs(plan, unfinished, clash)
    blocked = _blocked(plan, needs)
    open_tasks = [task for task in plan.tasks if task.state in _OPEN and task.id not in blocked]
    groups = units.group(open_tasks, needs, unit)
    touched_by = infer.writes if clash else units.touched
    drafted = [_unit(tasks, needs, plan) for tasks in groups]
    touched = {tasks[0].id: touched_by(tasks) for tasks in groups}
    mentioned = {tasks[0].id: infer.writes(tasks) for tasks in groups}
    warnings = [*plan.warnings, *_state_warnings(plan, blocked), *_flag_warnings(open_tasks)]
    ordered, waves = _waves(drafted, touched, plan, warnings)
    warnings += _mention_warnings(waves, mentioned, plan)
    path, longest = _critical_path(ordered)
    total = sum(unit.minutes for unit in ordered)
    return Graph(
        units=tuple(ordered),
        waves=waves,
        critical_path=path,
        speedup=total / longest if longest else 1.0,
        warnings=tuple(sorted(warnings, key=lambda warning: warning.line)),
        needs={
            name: tuple(edge.before for edge in edges)
            for name, edges in order.needs(plan, clash=clash).items()
        },
        blocked=tuple(task.id for task in plan.tasks if task.id in blocked and task.state in _OPEN),
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


def _unit(tasks: list[Task], needs: dict[str, tuple[Edge, ...]], plan: Plan) -> Unit:
    members = {task.id for task in tasks}
    edges = {
        edge.before: edge.why
        for task in tasks
        for edge in needs[task.id]
        if edge.before not in members
    }
    first = tasks[0]
    return Unit(
        id=first.id,
        tasks=tuple(task.id for task in tasks),
        kind=first.kind,
        needs=tuple(edges),
        writes=units.writes(tasks),
        covers=_covered(first, plan) if first.kind is Kind.GATE else (),
        role=units.role(tasks, plan),
        minutes=sum(map(units.minutes, tasks)),
        why=tuple(dict.fromkeys(edges.values())),
    )


def _covered(gate: Task, plan: Plan) -> tuple[str, ...]:
    """The tasks that a gate is about: those of its phase between the gate before it and itself."""
    kinds_of = {task.id: task.kind for task in plan.tasks}
    phase = next(phase for phase in plan.phases if phase.id == gate.phase)
    before = phase.tasks[: phase.tasks.index(gate.id)]
    gates = [index for index, name in enumerate(before) if kinds_of[name] is Kind.GATE]
    return before[gates[-1] + 1 if gates else 0 :]


def _waves(
    drafted: list[Unit],
    touched: dict[str, tuple[str, ...] | None],
    plan: Plan,
    warnings: list[Warning],
) -> tuple[list[Unit], tuple[tuple[str, ...], ...]]:
    """Place each unit behind those it needs and those of its wave whose files it may touch."""
    unit_of = {task: unit.id for unit in drafted for task in unit.tasks}
    lines = {task.id: task.line for task in plan.tasks}
    placed: dict[str, int] = {}
    writers: list[Writers] = []
    waves: list[list[str]] = []
    done: dict[str, Unit] = {}
    for unit in _topological(drafted, unit_of):
        unit_needs = dict.fromkeys(unit_of[name] for name in unit.needs)
        why = list(unit.why)
        wave = max((placed[name] + 1 for name in unit_needs), default=0)
        paths = touched[unit.id] or ()
        while wave < len(waves) and (found := writers[wave].clash(paths)):
            owner, path = found
            unit_needs[owner] = None
            why.append(f"may write {path or 'any file'} as {owner} does")
            warnings.append(
                Warning(lines[unit.id], "overlap", f"{unit.id} waits for {owner}: {why[-1]}")
            )
            wave += 1
        while len(waves) <= wave:
            waves.append([])
            writers.append(Writers())
        placed[unit.id] = wave
        waves[wave].append(unit.id)
        writers[wave].add(unit.id, paths)
        covers = tuple(dict.fromkeys(unit_of[name] for name in unit.covers if name in unit_of))
        done[unit.id] = msgspec.structs.replace(
            unit, needs=tuple(unit_needs), why=tuple(why), covers=covers
        )
    position = {unit.id: index for index, unit in enumerate(drafted)}
    ordered = [done[unit.id] for unit in drafted]
    return ordered, tuple(tuple(sorted(wave, key=position.__getitem__)) for wave in waves)


def _topological(drafted: list[Unit], unit_of: dict[str, str]) -> Iterable[Unit]:
    """Units with those they need before them, in plan order where that leaves a choice."""
    waiting = {unit.id: [unit_of[name] for name in unit.needs] for unit in drafted}
    by_id = {unit.id: unit for unit in drafted}
    given: set[str] = set()
    for unit in drafted:
        stack = [unit.id]
        while stack:
            name = stack[-1]
            missing = [need for need in waiting[name] if need not in given]
            if name in given or not missing:
                stack.pop()
                if name not in given:
                    given.add(name)
                    yield by_id[name]
            else:
                stack.extend(missing)


def _critical_path(ordered: list[Unit]) -> tuple[tuple[str, ...], float]:
    """The chain of units that takes longest, and its minutes."""
    by_id = {unit.id: unit for unit in ordered}
    longest: dict[str, tuple[float, str | None]] = {}
    for unit in _topological(ordered, {name: name for name in by_id}):
        before = max(unit.needs, key=lambda name: longest[name][0], default=None)
        start = longest[before][0] if before else 0.0
        longest[unit.id] = (start + unit.minutes, before)
    if not longest:
        return (), 0.0
    name: str | None = max(longest, key=lambda name: longest[name][0])
    total = longest[name][0]
    path: list[str] = []
    while name is not None:
        path.append(name)
        name = longest[name][1]
    return tuple(reversed(path)), total


def _state_warnings(plan: Plan, blocked: dict[str, str]) -> list[Warning]:
    warnings: list[Warning] = []
    for task in plan.tasks:
        if task.state is TaskState.BLOCKED:
            held = [name for name, by in blocked.items() if by == task.id and name != task.id]
            text = f"{task.id} is blocked; so is what waits for it: {', '.join(held) or 'nothing'}"
            warnings.append(Warning(task.line, "blocked", text))
        if task.state is TaskState.IN_PROGRESS:
            text = f"{task.id} is marked [~] and counts as open"
            warnings.append(Warning(task.line, "stale", text))
    return warnings


def _mention_warnings(
    waves: tuple[tuple[str, ...], ...],
    mentioned: dict[str, tuple[str, ...] | None],
    plan: Plan,
) -> list[Warning]:
    """Tell of units that the plan lets run side by side although they mention one file."""
    lines = {task.id: task.line for task in plan.tasks}
    warnings: list[Warning] = []
    for wave in waves:
        writers = Writers()
        for name in wave:
            paths = mentioned[name] or ()
            if found := writers.clash(paths):
                text = f"{name} runs beside {found[0]}, and both mention {found[1] or 'any file'}"
                warnings.append(Warning(lines[name], "mentions", text))
            writers.add(name, paths)
    return warnings


def _flag_warnings(tasks: list[Task]) -> list[Warning]:
    return [
        Warning(
            task.line, f"needs_{flag}", f"{task.id} seems to need what an agent has not: {flag}"
        )
        for task in tasks
        for flag in task.flags
    ]
