"""Projections of a run for people and scripts.

The object that `run --json` prints, and what to type next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.run.attempt import Metrics
from fanfold.run.denied import denied_hosts
from fanfold.run.events import TaskSpec
from fanfold.run.money import dollars
from fanfold.run.state import Outcome, RunState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fanfold.plan.model import Plan
    from fanfold.run.state import UnitState

SCHEMA = "fanfold.run/1"
EXIT_CODES = {
    Outcome.COMPLETED: 0,
    Outcome.INCOMPLETE: 1,
    Outcome.WAITING: 3,
    Outcome.CANCELLED: 4,
    Outcome.FAILED: 5,
}
ENDED = {
    UnitStatus.MERGED: "merged",
    UnitStatus.DONE: "done",
    UnitStatus.CONFLICTED: "conflicted",
    UnitStatus.REJECTED: "rejected",
    UnitStatus.FAILED: "failed",
    UnitStatus.SKIPPED: "skipped",
}
TICKED = {"done": "done", "skipped": "skipped"}


def outcome_of(state: RunState) -> Outcome | None:
    """How the run stands: its end, `waiting` at a gate, or None while it has work to do."""
    if state.outcome is not None:
        return state.outcome
    idle = not any(
        u.status in (UnitStatus.OPEN, UnitStatus.RUNNING, UnitStatus.PATCHED)
        and all(state.passes(n) for n in u.spec.needs)
        for u in state.units.values()
    )
    waiting = any(u.status is UnitStatus.WAITING for u in state.units.values())
    return Outcome.WAITING if waiting and idle else None


def exit_code(state: RunState) -> int:
    """The exit code of `run` and `resume` for this end.

    A result without green checks is not a 0.
    """
    outcome = outcome_of(state)
    if outcome is None:
        return 5
    if outcome is Outcome.COMPLETED and not state.verified and state.applied:
        return 1
    return EXIT_CODES[outcome]


def run_view(state: RunState, *, interrupted: bool = False) -> dict[str, Any]:
    """The run as JSON values; money as strings of dollars."""
    outcome = outcome_of(state)
    unfinished = "interrupted" if interrupted else "running"
    return {
        "schema": SCHEMA,
        "run": state.run_id,
        "outcome": outcome.value if outcome else unfinished,
        "verified": state.verified,
        "base": state.base,
        "tree": state.written.tree if state.written else state.base_tree,
        "branch": state.written.branch if state.written else None,
        "tasks": [_task(state, task) for task in state.tasks],
        "checks": [
            {
                "command": r.command,
                "ok": r.ok,
                "baseline_ok": r.baseline_ok,
                "required": r.required,
                "flaky": r.flaky,
            }
            for r in state.results
        ],
        "gates": [_gate(state, name) for name in _gate_units(state)],
        "dropped_paths": list(state.dropped_paths),
        "denied_hosts": denied_hosts(state),
        "cost_usd": dollars(state.spent),
        "worst_case_usd": dollars(unsure_of(state)),
        "cap_usd": dollars(state.cap),
        "metrics": metrics_view(run_metrics(state)),
        "duration_s": _duration(state),
        "next": next_commands(state),
        **({"error": state.trouble} if state.trouble else {}),
    }


def nothing_to_do(plan: Plan) -> dict[str, Any]:
    """What `run --json` prints for a plan without an open task; nothing was started."""
    tasks = [TaskSpec(t.id, t.title, "", t.kind.value, t.state.value, 0) for t in plan.tasks]
    return {**unstarted_view(tasks, None, None), "outcome": Outcome.COMPLETED.value}


def unstarted_view(
    tasks: Iterable[TaskSpec], reason: str | None, base: str | None
) -> dict[str, Any]:
    """A run that was not started, for `reason`; without one its open tasks say what they are."""
    return {
        "schema": SCHEMA,
        "run": None,
        "outcome": Outcome.INCOMPLETE.value,
        "verified": False,
        "base": base,
        "tree": None,
        "branch": None,
        "tasks": [_unstarted(task, reason) for task in tasks],
        "checks": [],
        "gates": [],
        "dropped_paths": [],
        "denied_hosts": [],
        "cost_usd": dollars(0),
        "worst_case_usd": dollars(0),
        "cap_usd": dollars(0),
        "metrics": metrics_view(Metrics()),
        "duration_s": 0.0,
        "next": [],
    }


def unsure_of(state: RunState) -> int:
    """The part of the run's cost that calls without an answer are counted at, in micro-dollars."""
    return sum(tried.unsure for unit in state.units.values() for tried in unit.tries)


def worst_case_line(amount_usd: str) -> str:
    """What a person is told of that part."""
    return (
        f"${amount_usd} of it are calls that were cut off before they told what they took: "
        "they count at the most they could have cost"
    )


def run_metrics(state: RunState) -> Metrics:
    """What all ended attempts of the run took."""
    ended = (tried.metrics for unit in state.units.values() for tried in unit.tries)
    return sum(ended, Metrics())


def metrics_view(metrics: Metrics) -> dict[str, Any]:
    """For JSON: counts, and what they come to a step."""
    counts = {k: v for k, v in msgspec.structs.asdict(metrics).items() if k != "usage"}
    return {
        **counts,
        "input_tokens": metrics.usage.context,
        "output_tokens": metrics.usage.output,
        "cache_share": round(metrics.cache_share, 3),
        "tokens_a_step": metrics.tokens_a_step,
    }


def _unstarted(task: TaskSpec, reason: str | None) -> dict[str, Any]:
    ticked = task.state in TICKED
    return {
        "id": task.id,
        "title": task.title,
        "kind": task.kind,
        "state": TICKED.get(task.state, "skipped"),
        "unit": None,
        "attempts": 0,
        "commit": None,
        "reason": None if ticked else reason or task.state,
        "cost_usd": dollars(0),
    }


def next_commands(state: RunState) -> list[str]:
    """What the user would type next, the likeliest first."""
    run, outcome = state.run_id, outcome_of(state)
    resume = f"fanfold resume {state.options.batch or run}"
    if outcome is Outcome.WAITING:
        gates = waiting_units(state)
        asks = [f"fanfold approve {run} {gate}" for gate in gates]
        return [*asks, f'fanfold reject {run} {gates[0]} --reason "…"', resume]
    if outcome is None or outcome in (Outcome.FAILED, Outcome.CANCELLED):
        return [] if state.rejected else [resume]
    commands = [f"fanfold apply {run}"] if state.written else []
    if outcome is Outcome.INCOMPLETE:
        lost = [t["id"] for t in (_task(state, s) for s in state.tasks) if t["reason"]]
        commands += [f"fanfold show {run} {task}" for task in lost[:1]]
        if any(u.reason == "budget" for u in state.units.values()):
            commands.append(f"{resume} --budget {dollars(2 * state.cap)}")
    return commands


def waiting_units(state: RunState) -> list[str]:
    """The gates and held units that wait for a person, in plan order."""
    return [u.spec.id for u in state.units.values() if u.status is UnitStatus.WAITING]


def unit_of(state: RunState, task: str) -> UnitState | None:
    """The unit that works on `task`; None when the task is not part of the run."""
    return next((u for u in state.units.values() if task in u.spec.tasks), None)


def _task(state: RunState, task: TaskSpec) -> dict[str, Any]:
    unit = unit_of(state, task.id)
    first = unit is not None and unit.spec.tasks[0] == task.id
    status, reason = _status(state, task, unit)
    return {
        "id": task.id,
        "title": task.title,
        "kind": task.kind,
        "state": status,
        "unit": unit.spec.id if unit else None,
        "attempts": len(unit.tries) if unit else 0,
        "commit": state.written.commits.get(task.id) if state.written else None,
        "reason": reason,
        "cost_usd": dollars(sum(t.cost for t in unit.tries) if unit and first else 0),
    }


def _status(state: RunState, task: TaskSpec, unit: UnitState | None) -> tuple[str, str | None]:
    if unit is None:
        known = TICKED.get(task.state)
        return (known, None) if known else ("skipped", "not_selected")
    if unit.status in ENDED:
        return ended_as(unit)
    if state.outcome is None:
        return "waiting", unit.reason if unit.status is UnitStatus.WAITING else None
    return "skipped", state.failure or state.outcome.value


def gate_line(gate: Mapping[str, Any]) -> str:
    """A gate's row of a view for a person: what it judges, its price and the command."""
    line = f"gate {gate['id']} {gate['state']}"
    if gate["patch"]:
        size = f"{gate['files']} files, +{gate['added']} -{gate['removed']}"
        line += f": {size}, ${gate['cost_usd']}; look: {gate['diff']}"
    elif gate["diff"]:
        line += f": ${gate['cost_usd']}; look: {gate['diff']}"
    return line


def ended_as(unit: UnitState) -> tuple[str, str | None]:
    """How a unit ended, and why; `waiting` while it has not."""
    return ENDED.get(unit.status, "waiting"), unit.reason


def _gate_units(state: RunState) -> list[str]:
    """The plan's gates, and the units that a person was asked about."""
    units = state.units.values()
    return [u.spec.id for u in units if u.spec.kind == "gate" or u.spec.id in state.gates]


def _gate(state: RunState, name: str) -> dict[str, Any]:
    """`patch` is the key of an artifact that shows the same as the command `diff`."""
    asked, spec = state.gates.get(name), state.units[name].spec
    judged = [state.units[unit] for unit in (spec.covers or (name,)) if unit in state.units]
    waits = asked is not None and asked.state == "waiting"
    return {
        "id": name,
        "title": spec.title,
        "state": asked.state if asked else "pending",
        "diff": f"git diff {asked.from_tree} {asked.tree}" if asked else None,
        "patch": (asked.patch or None) if asked else None,
        "files": asked.files if asked else 0,
        "added": asked.added if asked else 0,
        "removed": asked.removed if asked else 0,
        "cost_usd": dollars(sum(tried.cost for unit in judged for tried in unit.tries)),
        "approve": f"fanfold approve {state.run_id} {name}" if waits else None,
    }


def _duration(state: RunState) -> float:
    if state.requested_at is None or state.updated_at is None:
        return 0.0
    return round((state.updated_at - state.requested_at).total_seconds(), 3)
