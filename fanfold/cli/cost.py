"""`fanfold cost`: where the money went."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from fanfold.cli.known_batches import find_batch
from fanfold.cli.output import say, say_json, table
from fanfold.cli.runs import add_run_argument, find_run, known_runs, project_of
from fanfold.run.attempt import Usage
from fanfold.run.events import ModelCalled, ModelCallStarted, attempt_stream, recorded
from fanfold.run.money import dollars
from fanfold.run.view import worst_case_line
from fanfold.steps.split import ROLE, STREAM

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from fanfold.bootstrap import Project
    from fanfold.cli.runs import Run
    from fanfold.ports import EventStore

    Spending = tuple[str, int, Usage, bool]

EXAMPLES = """\
examples:
  fanfold cost                 all runs of this repository, by task
  fanfold cost 3fa9 --by model
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser, "all")
    parser.add_argument(
        "--by",
        choices=("task", "role", "model", "day"),
        default="task",
        help="what each row sums up (default: task)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    runs = known_runs(project, args.engine)
    spendings = (
        (each for run in _named(project, args) for each in _spendings(run, args.by))
        if args.run
        else _all_spendings(project, runs, args.by)
    )
    amounts: dict[str, int] = defaultdict(int)
    unsure = 0
    calls: dict[str, int] = defaultdict(int)
    tokens: dict[str, Usage] = defaultdict(Usage)
    for key, amount, usage, answered in spendings:
        unsure += 0 if answered else amount
        amounts[key] += amount
        calls[key] += 1
        tokens[key] = tokens[key] + usage
    rows = [_row(key, amounts[key], calls[key], tokens[key]) for key in amounts]
    total = sum(amounts.values())
    if args.json:
        sums = {"cost_usd": dollars(total), "worst_case_usd": dollars(unsure)}
        say_json({"schema": "fanfold.cost/1", "by": args.by, "rows": rows, **sums})
        return 0
    if not runs and not rows:
        say("no run here yet")
        return 0
    say(
        table(
            (args.by, "dollars", "calls", "tokens in", "from cache", "tokens out", "a call"),
            [_cells(row) for row in rows],
        )
    )
    say(f"total ${dollars(total)}")
    if unsure:
        say(worst_case_line(dollars(unsure)))
    return 0


def _named(project: Project, args: argparse.Namespace) -> list[Run]:
    """The run that is meant, or those of the batch."""
    batch = find_batch(project, args)
    return batch.runs() if batch else [find_run(project, args)]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    share = f"{row['cached'] / row['input']:.0%}" if row["input"] else "-"
    each = str(row["output"] // row["calls"])
    counts = (str(row["calls"]), str(row["input"]), share, str(row["output"]), each)
    return (row["key"], row["cost_usd"], *counts)


def _row(key: str, amount: int, calls: int, usage: Usage) -> dict[str, Any]:
    return {
        "key": key,
        "cost_usd": dollars(amount),
        "calls": calls,
        "input": usage.context,
        "cached": usage.cache_read,
        "output": usage.output,
    }


def _all_spendings(project: Project, runs: Sequence[Run], by: str) -> Iterator[Spending]:
    """Of all runs, and of what `plan --split` spent."""
    for run in runs:
        yield from _spendings(run, by)
    for stream in project.events.streams(STREAM):
        name = stream.removeprefix(STREAM)
        yield from _calls(project.events, stream, f"split {name}", ROLE, by)


def _spendings(run: Run, by: str) -> Iterator[Spending]:
    """Key, micro-dollars and tokens of every call of a run's attempts, and whether it ended."""
    for unit in run.journal().state.units.values():
        for tried in unit.tries:
            stream = attempt_stream(run.run_id, tried.attempt)
            task, role = f"{run.run_id} {unit.spec.id}", tried.dispatched.role
            yield from _calls(run.engine.events, stream, task, role, by)


def _calls(store: EventStore, stream: str, task: str, role: str, by: str) -> Iterator[Spending]:
    opened: dict[int, tuple[str, ModelCallStarted]] = {}
    for event in (r for e in store.read(stream) if (r := recorded(e)) is not None):
        data = event.data
        if isinstance(data, ModelCallStarted):
            day = event.timestamp.date().isoformat()
            keys = {"task": task, "role": role, "model": data.model, "day": day}
            opened[data.call] = (keys[by], data)
        elif isinstance(data, ModelCalled) and data.call in opened:
            key, _ = opened.pop(data.call)
            yield key, data.cost, data.usage, True
    for key, started in opened.values():
        yield key, started.worst_case, Usage(), False
