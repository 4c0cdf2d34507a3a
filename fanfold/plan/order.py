"""What must come before what: the default chain, and the signs that loosen or replace it."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from fanfold.errors import InvalidPlan
from fanfold.plan.model import Kind, Phase, Plan, Task

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from fanfold.plan.infer import Guess

_PARALLEL = "parallel"
_GATED = "a gate waits for all before it in its phase"
_GROUP = 64
"""So many tasks are compared with each other when guessing; the next one waits for them all."""


class Edge(NamedTuple):
    """Something that must come first, and why."""

    before: str
    why: str


def needs(
    plan: Plan, only: Collection[str] | None = None, guess: Guess | None = None
) -> dict[str, tuple[Edge, ...]]:
    """For each task those that must be finished before it starts, less what these wait for anyway.

    `only` limits the order to these tasks; a need of any other counts as met. With a `guess`, tasks
    of a sequential phase that tell something need just the earlier ones with which they clash.
    """
    return _Order(plan, only, guess).resolve()


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
        unstated = {item.id for item in (*plan.tasks, *plan.phases) if item.chained}
        why = "; what states no needs follows what stands before it"
        implied = any(name.removeprefix("phase ") in unstated for name in ring)
        problem = f"these wait for each other: {chain}{why if implied else ''}"
        raise InvalidPlan(plan.path, line, problem) from error


def _shown(node: str) -> str:
    return f"phase {node.split(':', 1)[1]}" if ":" in node else node


class _Order:
    """The order as a graph of tasks and, for each phase, its entry, its exit and its last gate.

    Ids of tasks hold no colon, so that `entry:1`, `exit:1` and `gates:1` name no task.
    """

    def __init__(self, plan: Plan, only: Collection[str] | None, guess: Guess | None) -> None:
        self.tasks = {task.id: task for task in plan.tasks if only is None or task.id in only}
        self.guess = guess
        self.nodes: dict[str, list[Edge]] = {}
        self.marked: set[str] = set()
        ends: dict[str, None] = {}
        for phase in plan.phases:
            before = list(ends) if phase.chained else list(phase.needs)
            why = "follows phase {}" if phase.chained else "states that it needs phase {}"
            self.nodes[f"entry:{phase.id}"] = [
                *(Edge(f"exit:{name}", why.format(name)) for name in before),
                *(
                    Edge(name, f"needs {name}: stated")
                    for name in phase.after
                    if name in self.tasks
                ),
            ]
            self.nodes[f"gates:{phase.id}"] = [Edge(f"gates:{name}", "") for name in before]
            for name in before:
                ends.pop(name, None)
            ends[phase.id] = None
            self._phase(phase)

    def _phase(self, phase: Phase) -> None:
        entry = f"entry:{phase.id}"
        self.ends: dict[str, None] = {entry: None}
        self.gate = f"gates:{phase.id}"
        self._close(entry)
        for name in phase.tasks:
            if name in self.tasks:
                edges = self._attach(self.tasks[name], phase)
                self.nodes[name] = edges
                for edge in edges:
                    self.ends.pop(edge.before, None)
                self.ends[name] = None
        self.nodes[f"exit:{phase.id}"] = [Edge(name, "") for name in self.ends]
        if self.gate in self.tasks:
            self.nodes[f"gates:{phase.id}"] = [Edge(self.gate, "")]

    def _close(self, name: str) -> None:
        """What comes now waits for `name`, and so for all before it."""
        self.barrier, self.since, self.beside = [name], list[str](), False

    def _attach(self, task: Task, phase: Phase) -> list[Edge]:
        """What the task waits for; each branch also says what the next one finds."""
        stated = [Edge(name, f"needs {name}: stated") for name in task.needs if name in self.tasks]
        if task.kind is Kind.GATE:
            gate = _once([*stated, *(Edge(name, _GATED) for name in self.ends)])
            self.gate = task.id
            self._close(task.id)
            return gate
        if not task.chained:
            self.since.append(task.id)
            return _once([*stated, Edge(self.gate, f"comes after gate {self.gate}")])
        work = task.kind is Kind.WORK
        if task.parallel or (work and phase.execution == _PARALLEL):
            if not self.beside:
                self.barrier, self.since, self.beside = list(self.ends), [], True
            self.since.append(task.id)
            self.marked.add(task.id)
            return self._after(self.barrier)
        if self.guess and work and self.guess.tells(task) and len(self.since) < _GROUP:
            edges = self._guess(task, self.guess)
            self.beside = False
            self.since.append(task.id)
            return edges
        edges = self._after(self.ends)
        self._close(task.id)
        return edges

    def _guess(self, task: Task, guess: Guess) -> list[Edge]:
        """Wait for those since the last barrier that clash, or that tell too little to know."""
        edges: list[Edge] = []
        for name in self.since:
            earlier = self.tasks[name]
            why = guess.clash(earlier, task) if guess.tells(earlier) else self._why(name)
            if why:
                edges.append(Edge(name, why))
        return edges or self._after(self.barrier)

    def _after(self, names: Iterable[str]) -> list[Edge]:
        return [Edge(name, self._why(name)) for name in names]

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
        return {name: tuple(self._told(name, e) for e in behind[name]) for name in self.tasks}

    def _told(self, name: str, edge: Edge) -> Edge:
        """What is marked to run beside its neighbours waits for what stands before all of them."""
        if name not in self.marked:
            return edge
        return Edge(edge.before, edge.why.replace("follows", "side by side, but after", 1))


def _once(edges: Iterable[Edge]) -> list[Edge]:
    return list({edge.before: edge for edge in reversed(list(edges))}.values())[::-1]
