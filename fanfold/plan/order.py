"""What must come before what: the default chain, and the signs that loosen or replace it."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from fanfold.errors import InvalidPlan
from fanfold.plan.model import Kind, Phase, Plan, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    Clash = Callable[[Task, Task], str | None]

_PARALLEL = "parallel"


class Edge(NamedTuple):
    """Something that must come first, and why."""

    before: str
    why: str


def needs(
    plan: Plan, only: Collection[str] | None = None, clash: Clash | None = None
) -> dict[str, tuple[Edge, ...]]:
    """For each task those that must be finished before it starts, less what these wait for anyway.

    `only` limits the order to these tasks; a need of any other counts as met. With `clash`, tasks
    of a sequential phase that name files need just the earlier ones with which they clash: it says
    why, or None.
    """
    return _Order(plan, only, clash).resolve()


def require_acyclic(plan: Plan, lines: dict[str, int]) -> None:
    """Raise InvalidPlan where tasks or phases wait for each other; `lines` has the stated needs."""
    order = _Order(plan, None, None)
    graph = {node: [edge.before for edge in edges] for node, edges in order.nodes.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        ring = [_shown(node) for node in reversed(error.args[1])]
        ring = [name for name, after in zip(ring, [*ring[1:], ""], strict=True) if name != after]
        named = [lines[name] for name in (*ring, *error.args[1]) if name in lines]
        line = min(named, default=0)
        chain = " → ".join(ring if len(ring) > 1 else ring * 2)
        raise InvalidPlan(plan.path, line, f"these wait for each other: {chain}") from error


def _shown(node: str) -> str:
    return f"phase {node.split(':', 1)[1]}" if ":" in node else node


class _Order:
    """The order as a graph of tasks and, for each phase, its entry, its exit and its last gate.

    Ids of tasks hold no colon, so that `entry:1`, `exit:1` and `gates:1` name no task.
    """

    def __init__(self, plan: Plan, only: Collection[str] | None, clash: Clash | None) -> None:
        self.tasks = {task.id: task for task in plan.tasks if only is None or task.id in only}
        self.clash = clash
        self.nodes: dict[str, list[Edge]] = {}
        ends: dict[str, None] = {}
        for phase in plan.phases:
            before = list(ends) if phase.chained else list(phase.needs)
            why = "follows phase {}" if phase.chained else "states that it needs phase {}"
            self.nodes[f"entry:{phase.id}"] = [
                Edge(f"exit:{name}", why.format(name)) for name in before
            ]
            self.nodes[f"gates:{phase.id}"] = [Edge(f"gates:{name}", "") for name in before]
            for name in before:
                ends.pop(name, None)
            ends[phase.id] = None
            self._phase(phase)

    def _phase(self, phase: Phase) -> None:
        entry = f"entry:{phase.id}"
        self.barrier, self.gate = [entry], f"gates:{phase.id}"
        self.ends: dict[str, None] = {entry: None}
        self.group: dict[str, None] = {}
        self.parallel = False
        for name in phase.tasks:
            if name in self.tasks:
                task = self.tasks[name]
                self.nodes[name] = self._edges(task, phase)
                for edge in self.nodes[name]:
                    self.ends.pop(edge.before, None)
                self.ends[name] = None
                self._advance(task)
        self.nodes[f"exit:{phase.id}"] = [Edge(name, "") for name in self.ends]
        if not self.gate.startswith("gates:"):
            self.nodes[f"gates:{phase.id}"] = [Edge(self.gate, "")]

    def _edges(self, task: Task, phase: Phase) -> list[Edge]:
        stated = [
            Edge(name, f"states that it needs {name}") for name in task.needs if name in self.tasks
        ]
        if task.kind is Kind.GATE:
            return _once(
                [*stated, *self._all(f"gate: waits for all before it in phase {phase.id}")]
            )
        if not task.chained:
            return _once([*stated, Edge(self.gate, f"comes after gate {self.gate}")])
        starts_group = task.parallel or (phase.execution == _PARALLEL and task.kind is Kind.WORK)
        if starts_group and not self.parallel:
            self.barrier = list(self.ends)
        self.parallel = starts_group
        if starts_group:
            return [Edge(name, self._why(name)) for name in self.barrier]
        if self.clash and task.kind is Kind.WORK and (task.writes or task.mentions):
            return self._clashing(task, self.clash)
        return self._all("no sign that it may run beside {}")

    def _clashing(self, task: Task, clash: Clash) -> list[Edge]:
        whys = {name: clash(self.tasks[name], task) for name in self.group}
        edges = [Edge(name, why) for name, why in whys.items() if why]
        return edges or [Edge(name, self._why(name)) for name in self.barrier]

    def _advance(self, task: Task) -> None:
        if task.kind is Kind.GATE:
            self.gate = task.id
        loose = self.parallel and task.chained and task.kind is Kind.WORK
        if (
            self.clash
            and not self.parallel
            and task.chained
            and task.kind is Kind.WORK
            and (task.writes or task.mentions)
        ):
            self.group[task.id] = None
        elif not loose and task.chained:
            self.barrier, self.group = [task.id], {}

    def _all(self, why: str) -> list[Edge]:
        return [Edge(name, self._why(name) if "{}" in why else why) for name in self.ends]

    def _why(self, name: str) -> str:
        task = self.tasks.get(name)
        if task is None:
            return ""
        return (
            f"comes after gate {name}" if task.kind is Kind.GATE else f"follows {name} in the chain"
        )

    def resolve(self) -> dict[str, tuple[Edge, ...]]:
        """Replace the phases' points by the tasks behind them."""
        behind: dict[str, tuple[Edge, ...]] = {}
        graph = {node: [edge.before for edge in edges] for node, edges in self.nodes.items()}
        for node in TopologicalSorter(graph).static_order():
            found: list[Edge] = []
            for edge in self.nodes.get(node, ()):
                if edge.before in self.tasks:
                    found.append(edge)
                else:
                    found += [
                        Edge(inner.before, edge.why or inner.why)
                        for inner in behind.get(edge.before, ())
                    ]
            behind[node] = tuple(_once(found))
        return {name: behind[name] for name in self.tasks}


def _once(edges: Iterable[Edge]) -> list[Edge]:
    return list({edge.before: edge for edge in reversed(list(edges))}.values())[::-1]
