"""`fanfold status`: all runs, or one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.cli.engines import AWS
from fanfold.cli.known_batches import find_batch, known_batches
from fanfold.cli.output import say, say_json, table
from fanfold.cli.runs import add_run_argument, find_run, known_rows, project_of
from fanfold.run.money import dollars
from fanfold.run.view import gate_line, run_view, worst_case_line

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.cli.known_batches import KnownBatch
    from fanfold.run.listing import RunRow

EXAMPLES = """\
examples:
  fanfold status              every run, the latest last
  fanfold status 3fa9         one run, task by task
  fanfold status 3fa9 --json  the object that `run --json` prints
  fanfold status --engine aws every run of this repository in the deployment
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser, "a list of all")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    if args.run is None:
        _list(project, args.engine, as_json=args.json)
        return 0
    batch = find_batch(project, args)
    if batch is not None:
        from fanfold.cli.batch_commands import status

        return status(batch, args)
    run = find_run(project, args)
    view = run_view(run.journal().state, interrupted=not run.engine.is_driven(run.run_id))
    if args.json:
        say_json(view)
    else:
        say(describe(view))
    return 0


def describe(view: dict[str, Any]) -> str:
    """A run as a table of tasks, its money and what to type next."""
    rows = [
        (t["id"], t["state"], t["reason"] or "", f"${t['cost_usd']}", t["title"])
        for t in view["tasks"]
    ]
    lines = [
        f"run {view['run']}: {view['outcome']}{'' if view['verified'] else ', unverified'}",
        *([view["error"]] if view.get("error") else []),
        "",
        table(("task", "state", "reason", "cost", "title"), rows),
        "",
        f"${view['cost_usd']} of ${view['cap_usd']} in {view['duration_s']} s",
    ]
    if view["worst_case_usd"] != dollars(0):
        lines.append(worst_case_line(view["worst_case_usd"]))
    lines += [gate_line(gate) for gate in view["gates"] if gate["state"] == "waiting"]
    if view["branch"]:
        lines.append(f"result: branch {view['branch']}")
    lines += [
        f"denied: {d['host']} ({', '.join(d['by'])}); to allow it, in fanfold.toml: {d['allow']}"
        for d in view["denied_hosts"]
    ]
    lines += [f"next: {command}" for command in view["next"]]
    return "\n".join(lines)


def _list(project: Project, engine: str | None, *, as_json: bool) -> None:
    listed = known_rows(project, engine)
    found = [_row(row) for row in listed]
    # A deployment is asked for its batches where its list of runs tells of one.
    may_have_batches = engine != AWS or any(row.batch for row in listed)
    known = known_batches(project, engine) if may_have_batches else []
    batches = [_batch_row(batch) for batch in known]
    if as_json:
        say_json({"schema": "fanfold.runs/1", "runs": found, "batches": batches})
        return
    if not found and not batches:
        say("no run here yet; `fanfold run` starts one")
    if found:
        rows = [
            (r["run"], r["outcome"], f"${r['cost_usd']}", r["requested_at"] or "", r["plan"])
            for r in found
        ]
        say(table(("run", "outcome", "cost", "asked for", "plan"), rows))
    if batches:
        rows = [
            (b["batch"], b["outcome"], f"${b['cost_usd']}", b["requested_at"], ", ".join(b["runs"]))
            for b in batches
        ]
        say("\n" * bool(found) + table(("batch", "outcome", "cost", "asked for", "runs"), rows))


def _batch_row(batch: KnownBatch) -> dict[str, Any]:
    state, asked = batch.state(), batch.state().requested_at
    unfinished = "running" if batch.is_driven() else "interrupted"
    return {
        "batch": batch.batch_id,
        "tracks": list(state.tracks),
        "runs": list(state.runs()),
        "outcome": state.outcome.value if state.outcome else unfinished,
        "requested_at": asked.isoformat(timespec="seconds") if asked else "",
        "cost_usd": dollars(sum(run.journal().state.spent for run in batch.runs())),
        "cap_usd": dollars(state.cap),
    }


def _row(row: RunRow) -> dict[str, Any]:
    asked = row.requested_at
    return {
        "run": row.run,
        "plan": row.plan,
        "batch": row.batch or None,
        "outcome": row.standing,
        "requested_at": asked.isoformat(timespec="seconds") if asked else None,
        "units": row.units,
        "cost_usd": dollars(row.spent),
        "cap_usd": dollars(row.cap),
    }
