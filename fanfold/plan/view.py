"""A plan and its graph as `fanfold plan` shows them: JSON for scripts, text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.plan.model import Kind, TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.plan.model import Graph, Plan, Unit

SCHEMA = "fanfold.plan/1"
_MARKS = {
    TaskState.OPEN: " ",
    TaskState.IN_PROGRESS: "~",
    TaskState.DONE: "x",
    TaskState.BLOCKED: "!",
    TaskState.SKIPPED: "-",
}
_TITLE_WIDTH = 72
CHAIN = "the plan's order; no sign that they may run side by side"


def plan_json(plan: Plan, graph: Graph) -> dict[str, Any]:
    """What `plan --json` prints for one plan; every task of the file is in it, done ones too."""
    unit_of = {task: unit.id for unit in graph.units for task in unit.tasks}
    return {
        "schema": SCHEMA,
        "plan": plan.path,
        "sha256": plan.sha256,
        "tasks": [
            {
                "id": task.id,
                "title": task.title,
                "phase": task.phase,
                "state": str(task.state),
                "kind": str(task.kind),
                "unit": unit_of.get(task.id),
                "needs": list(graph.needs.get(task.id, task.needs)),
                "writes": None if task.writes is None else list(task.writes),
                "line": task.line,
            }
            for task in plan.tasks
        ],
        "units": [{"id": unit.id, "tasks": list(unit.tasks)} for unit in graph.units],
        "waves": [list(wave) for wave in graph.waves],
        **_guesses(graph),
        "speedup": round(graph.speedup, 2),
        "warnings": [
            {"line": warning.line, "code": warning.code, "text": warning.text}
            for warning in graph.warnings
        ],
    }


def _guesses(graph: Graph) -> dict[str, Any]:
    """Only where guesses were asked for."""
    if not graph.predicted:
        return {}
    told = {
        task: [{"path": each.path, "why": each.why} for each in paths]
        for task, paths in graph.predicted.items()
    }
    return {"predicted": told}


def plan_text(plan: Plan, graph: Graph) -> str:
    """What `fanfold plan` prints for people: tasks, units, waves, what is serial and why."""
    sections = (
        _tasks(plan, graph),
        _waves(graph),
        _predicted(graph),
        _serial(graph),
        _gates(graph),
        _summary(graph),
        _warnings(plan, graph),
    )
    blocks = ["\n".join(section) for section in sections]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _tasks(plan: Plan, graph: Graph) -> Iterator[str]:
    unit_of = {task: unit.id for unit in graph.units for task in unit.tasks}
    tasks = {task.id: task for task in plan.tasks}
    yield plan.title or plan.path
    for phase in plan.phases:
        if not phase.tasks:
            continue
        yield f"\n  {phase.id}  {phase.name}" if phase.heading else ""
        for name in phase.tasks:
            task = tasks[name]
            notes = [] if task.kind is Kind.WORK else [str(task.kind)]
            notes += [f"needs {flag}" for flag in task.flags]
            if unit_of.get(name, name) != name:
                notes.append(f"in unit {unit_of[name]}")
            elif name in graph.blocked:
                notes.append("blocked")
            shown = f"  ({', '.join(notes)})" if notes else ""
            yield f"    [{_MARKS[task.state]}] {name}  {_short(task.title)}{shown}"


def _waves(graph: Graph) -> Iterator[str]:
    if not graph.waves:
        yield "Nothing to do: no task is open."
        return
    units = {unit.id: unit for unit in graph.units}
    yield f"{len(graph.units)} units in {len(graph.waves)} waves"
    for number, wave in enumerate(graph.waves, 1):
        yield f"  {number}. " + "   ".join(_unit(units[name]) for name in wave)


def _unit(unit: Unit) -> str:
    if unit.kind is not Kind.WORK:
        return f"{unit.id} ({unit.kind})"
    tasks = f" = {' + '.join(unit.tasks)}" if len(unit.tasks) > 1 else ""
    return f"{unit.id}{tasks} ({unit.role}, about {unit.minutes:.0f} min)"


def _serial(graph: Graph) -> Iterator[str]:
    """The units that wait with the reasons, each once; so are chains without any sign."""
    waiting: dict[str, list[str]] = {}
    for unit in graph.units:
        if unit.why:
            why = CHAIN if all(map(_is_chain, unit.why)) else "; ".join(unit.why)
            waiting.setdefault(why, []).append(unit.id)
    if waiting:
        yield "What is serial, and why"
    for why, names in sorted(waiting.items(), key=lambda told: told[0] != CHAIN):
        yield f"  {', '.join(names)}: {why}"


def _predicted(graph: Graph) -> Iterator[str]:
    """What `--parallel infer` goes by."""
    if graph.predicted:
        yield "What they will probably write"
    for task, paths in graph.predicted.items():
        yield f"  {task}: " + ", ".join(f"{each.path} ({each.why})" for each in paths)


def _is_chain(why: str) -> bool:
    return why.startswith("follows ")


def _gates(graph: Graph) -> Iterator[str]:
    for unit in graph.units:
        if unit.kind is Kind.GATE:
            yield f"Gate {unit.id}: a person looks at {', '.join(unit.covers) or 'nothing new'}"


def _summary(graph: Graph) -> Iterator[str]:
    if not graph.units:
        return
    serial = sum(unit.minutes for unit in graph.units)
    yield f"Critical path: {' → '.join(graph.critical_path)}"
    yield f"Speed-up at best: {graph.speedup:.1f}x of about {serial:.0f} min one after the other"
    if graph.speedup < 1.5 and len(graph.units) > 1:
        yield (
            "To raise it: <!-- execution: parallel --> under a phase, "
            "<!-- depends: … --> under a task, --parallel infer, or fanfold plan --split"
        )


def _warnings(plan: Plan, graph: Graph) -> Iterator[str]:
    for warning in graph.warnings:
        yield f"{plan.path}:{warning.line}: {warning.text} [{warning.code}]"


def _short(title: str) -> str:
    return title if len(title) <= _TITLE_WIDTH else f"{title[: _TITLE_WIDTH - 1]}…"
