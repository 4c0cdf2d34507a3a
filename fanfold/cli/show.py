"""`fanfold show`: what an attempt left, or the run's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.cli.known_batches import find_batch
from fanfold.cli.output import counted, say, say_bytes, say_json
from fanfold.cli.runs import add_run_argument, find_run, project_of
from fanfold.errors import ArtifactMissing, UnknownRun
from fanfold.run.access_view import access_view
from fanfold.run.artifacts import attempt_file, result_file
from fanfold.run.denied import allowing, plain
from fanfold.run.events import attempt_stream, recorded
from fanfold.run.incidents import IncidentKind
from fanfold.run.money import dollars
from fanfold.run.view import metrics_view, outcome_of, run_view, unit_of
from fanfold.steps.report import effort, render_report

if TYPE_CHECKING:
    import argparse

    from fanfold.cli.runs import Run
    from fanfold.ports import ArtifactStore
    from fanfold.run.state import RunState, Try

EXAMPLES = """\
examples:
  fanfold show                        the latest run's report
  fanfold show 3fa9 1.2               the attempts of a task: report, cost, exit
  fanfold show 3fa9 1.2 --patch | git apply --stat
  fanfold show 3fa9 1.2 --transcript  what the agent read, said and did
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("task", nargs="?", metavar="TASK", help="a task, or one of its attempts")
    parser.add_argument("--patch", action="store_true", help="only the patch")
    parser.add_argument("--transcript", action="store_true", help="only the transcript")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    batch = find_batch(project, args)
    if batch is not None:
        from fanfold.cli.batch_commands import show

        return show(batch, args)
    run = find_run(project, args)
    artifacts, state = run.engine.artifacts, run.journal().state
    if args.task is None:
        return _show_run(artifacts, state, args)
    tries = _tries(state, args.task)
    if args.patch or args.transcript:
        name = "patch.diff" if args.patch else "transcript.jsonl"
        say_bytes(_artifact(artifacts, state, tries[-1], name))
    elif args.json:
        views = [_view(run, state, t) for t in tries]
        say_json({"schema": "fanfold.attempts/1", "task": args.task, "attempts": views})
    else:
        say("\n\n".join(_describe(_view(run, state, t)) for t in tries))
    return 0


def _show_run(artifacts: ArtifactStore, state: RunState, args: argparse.Namespace) -> int:
    if args.patch:
        say_bytes(artifacts.get(result_file(state.run_id, "result.patch")))
    elif args.json:
        say_json(run_view(state))
    else:
        say(render_report(state, outcome_of(state)).rstrip("\n"))
    return 0


def _tries(state: RunState, wanted: str) -> tuple[Try, ...]:
    unit = unit_of(state, wanted)
    tries = unit.tries if unit else ()
    if not unit:
        every = (t for u in state.units.values() for t in u.tries)
        tries = tuple(t for t in every if t.attempt == wanted)
    if not tries:
        known = ", ".join(t.id for t in state.tasks)
        raise UnknownRun(
            f"task {wanted!r} of run {state.run_id} has no attempt; its tasks: {known}"
        )
    return tries


def _artifact(artifacts: ArtifactStore, state: RunState, tried: Try, name: str) -> bytes:
    epoch = max(tried.epoch, 1)
    return artifacts.get(attempt_file(state.run_id, tried.attempt, epoch, name))


def _view(run: Run, state: RunState, tried: Try) -> dict[str, Any]:
    engine = run.engine
    told = map(recorded, engine.events.read(attempt_stream(state.run_id, tried.attempt)))
    try:
        report = msgspec.json.decode(_artifact(engine.artifacts, state, tried, "report.json"))
    except ArtifactMissing:
        report = None
    return {
        "attempt": tried.attempt,
        "role": tried.dispatched.role,
        "purpose": tried.purpose.value,
        "outcome": tried.outcome.value if tried.outcome else None,
        "detail": tried.detail,
        "denied_hosts": list(tried.denied_hosts),
        "cost_usd": dollars(tried.cost),
        "slice_usd": dollars(tried.dispatched.slice),
        "metrics": metrics_view(tried.metrics),
        "access": access_view(event.data for event in told if event),
        "report": report,
    }


def _describe(view: dict[str, Any]) -> str:
    report: dict[str, Any] = view["report"] or {}
    lines = [
        f"attempt {view['attempt']} ({view['role']}, {view['purpose']}): "
        f"{view['outcome'] or 'in flight'}",
        f"  ${view['cost_usd']} of ${view['slice_usd']}{_effort(view['report'])}",
    ]
    if view["outcome"]:
        lines.append(f"  {effort(view['metrics'])}")
    if view["detail"]:
        lines.append(f"  {view['detail']}")
    if report.get("summary"):
        lines.append(f"  {report['summary']}")
    lines += [
        f"  denied {host}; to allow it, in fanfold.toml: {allowing(plain(host))}"
        for host in view["denied_hosts"]
    ]
    lines += _accesses(view["access"]["decided"])
    lines += [f"  changed {path}" for path in report.get("files", [])]
    lines += [
        f"  {'green' if c['ok'] else 'red'}: {c['command']}" for c in report.get("checks", [])
    ]
    return "\n".join(lines)


def _accesses(rows: list[dict[str, Any]]) -> list[str]:
    """Denied hosts stand apart, with the line that would allow them."""
    return [f"  {_access(row)}" for row in rows if row["operation"] != IncidentKind.HOST]


def _access(row: dict[str, Any]) -> str:
    """A decision of the policy, or what a sandbox kept a command from."""
    times = f" ({row['times']} times)" if row["times"] > 1 else ""
    what = f"{row['operation']} {row['subject']}".rstrip()
    if row["allowed"]:
        return f"allowed {what}{times}"
    if row["refusal"] == row["operation"]:
        return f"contained {row['operation']}: {row['subject']}{times}"
    return f"denied {what}: {row['refusal']}{times}"


def _effort(report: dict[str, Any] | None) -> str:
    if report is None:
        return "; its report is not there"
    return f", {counted(report['steps'], 'step', 'steps')}, {report['duration_s']:.1f} s"
