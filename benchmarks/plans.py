"""What fanfold makes of real plans: their tasks, kinds, units, waves and speed-up, as Markdown.

Give the folder that holds them; without it, the real plans beside the repository, if any. All tasks
count as open, as on the day a plan is approved. `python benchmarks/plans.py > docs/formats.md`
renews that page.
"""

from __future__ import annotations

import heapq
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fanfold.errors import InvalidPlan
from fanfold.plan.formats import parse
from fanfold.plan.graph import build
from fanfold.plan.model import Kind, TaskState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.plan.model import Graph, Plan

AGENTS = 10
PLANS = ("**/plan.md", "**/specs/*/tasks.md", "**/openspec/changes/**/tasks.md")
HEADER = f"""\
# What fanfold reads in real plans

Made by `python benchmarks/plans.py` from public plans, every task counted as open. Minutes are
fanfold's rule of thumb, not measurements; speed-up is for {AGENTS} identical agents with a barrier
after each wave, against one agent that does the same units one after the other.
"""


class Row(NamedTuple):
    """The figures of some plans under one setting."""

    units: int
    waves: int
    speedup: float


def main(arguments: Sequence[str]) -> int:
    """Print the figures of every format."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(arguments[0]) if arguments else beside
    plans, refused, rate = load(folder)
    if not plans:
        print(f"no plans below {folder}", file=sys.stderr)
        return 0
    print(HEADER)
    print("| format | plans | tasks | work | check | bookkeeping | gate | flagged |")
    print("|---|---|---|---|---|---|---|---|")
    for name in sorted({plan.format for plan in plans}):
        print(counts(name, [plan for plan in plans if plan.format == name]))
    print("\n| format | unit | parallel | units | waves | speed-up |\n|---|---|---|---|---|---|")
    for name in sorted({plan.format for plan in plans}):
        for unit in ("task", "auto", "phase"):
            for parallel in ("declared", "infer"):
                row = figures([p for p in plans if p.format == name], unit, parallel)
                print(
                    f"| {name} | {unit} | {parallel} "
                    f"| {row.units} | {row.waves} | {row.speedup:.2f} |"
                )
    print(f"\n{len(refused)} files were refused.")
    print(f"{rate:.2f} MB/s are read", file=sys.stderr)
    return 0


def load(folder: Path) -> tuple[list[Plan], list[str], float]:
    """The distinct plans of a folder with all tasks open, what was refused, and MB/s of reading."""
    plans: dict[bytes, Plan] = {}
    refused: list[str] = []
    seconds = 0.0
    for path in sorted({path for pattern in PLANS for path in folder.glob(pattern)}):
        data = path.read_bytes()
        began = time.perf_counter()
        try:
            plan = parse(data, path.relative_to(folder).as_posix())
        except InvalidPlan as error:
            refused.append(str(error))
            continue
        seconds += time.perf_counter() - began
        tasks = tuple(msgspec.structs.replace(t, state=TaskState.OPEN) for t in plan.tasks)
        plans.setdefault(data, msgspec.structs.replace(plan, tasks=tasks))
    size = sum(map(len, plans))
    return list(plans.values()), refused, size / 1e6 / seconds if seconds else 0.0


def counts(name: str, plans: Sequence[Plan]) -> str:
    kinds = Counter(task.kind for plan in plans for task in plan.tasks)
    flagged = sum(bool(task.flags) for plan in plans for task in plan.tasks)
    each = " | ".join(str(kinds[kind]) for kind in Kind)
    return f"| {name} | {len(plans)} | {kinds.total()} | {each} | {flagged} |"


def figures(plans: Sequence[Plan], unit: str, parallel: str) -> Row:
    graphs = [build(plan, unit=unit, parallel=parallel) for plan in plans]
    serial = sum(unit.minutes for graph in graphs for unit in graph.units)
    parallel_minutes = sum(map(minutes, graphs))
    return Row(
        sum(len(graph.units) for graph in graphs),
        sum(len(graph.waves) for graph in graphs),
        serial / parallel_minutes if parallel_minutes else 1.0,
    )


def minutes(graph: Graph) -> float:
    """Minutes that the waves take ten agents, each agent taking the next unit when it is free."""
    length = {unit.id: unit.minutes for unit in graph.units}
    total = 0.0
    for wave in graph.waves:
        agents = [0.0] * AGENTS
        for name in wave:
            heapq.heappush(agents, heapq.heappop(agents) + length[name])
        total += max(agents)
    return total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
