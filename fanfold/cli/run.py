"""`fanfold run`: the main job."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fanfold.cli.consent import ask_for_cap
from fanfold.cli.drive import report
from fanfold.cli.engines import LOCAL, NAMES, engine_of
from fanfold.cli.money import budget
from fanfold.cli.needs import require_needs
from fanfold.cli.output import say, say_json, tell
from fanfold.cli.plans import plans_of, read_plan
from fanfold.cli.runs import project_of
from fanfold.cli.selection import graph_of
from fanfold.cli.told import told
from fanfold.run.view import nothing_to_do

if TYPE_CHECKING:
    from fanfold.bootstrap import Project
    from fanfold.cli.engines import Engine
    from fanfold.plan.model import Graph, Plan

EXAMPLES = """\
examples:
  fanfold run                                     the approved or only open track
  fanfold run conductor/tracks/auth/plan.md --budget 5 --check "make test"
  fanfold run --phase 2 --candidates 3            three attempts a task, an arbiter picks one
  fanfold run --all-open --budget 20              every open track, side by side, under one cap
  fanfold run --dry-run                           what would happen, free
  fanfold run --budget 5 --detach && fanfold watch
  fanfold run --budget 5 --engine aws             in your AWS account (docs/deploy.md)
  fanfold run --budget 5 --json --yes | jq .outcome

exit codes: 0 all merged and green, 1 not all merged or unverified, 2 wrong input, 3 waits for
a person, 4 cancelled, 5 something outside failed, 130 interrupted; then `fanfold resume` goes on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_shape(parser)
    parser.add_argument("--base", metavar="REV", help="start from this commit (default: HEAD)")
    parser.add_argument(
        "--include-dirty", action="store_true", help="start from the work tree as it is"
    )
    parser.add_argument(
        "--engine", choices=NAMES, default=LOCAL, help="on this machine, or in your AWS account"
    )
    parser.add_argument(
        "--rerun", action="store_true", help="another run, even of what was run before"
    )
    parser.add_argument("--budget", type=budget, metavar="USD", help="the hard cap of the run")
    parser.add_argument(
        "--gates",
        choices=("ask", "defer"),
        help="stop at a gate, or go on and list it at the end (default: ask, detached: defer)",
    )
    parser.add_argument(
        "--check",
        action="append",
        type=told,
        default=[],
        metavar="CMD",
        help="a shell line that must exit 0 on the result; may be repeated",
    )
    parser.add_argument("--no-sandbox", action="store_true", help="run commands uncontained")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would happen; writes nothing"
    )
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    parser.add_argument("--yes", "-y", action="store_true", help="take the estimate as the cap")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Which plan."""
    parser.add_argument("plan", nargs="*", metavar="PLAN", help="a plan file")
    parser.add_argument(
        "--track",
        action="extend",
        nargs="+",
        default=[],
        metavar="ID",
        help="plans of these tracks",
    )
    parser.add_argument("--all-open", action="store_true", help="the plans of all open tracks")


def add_shape(parser: argparse.ArgumentParser) -> None:
    """Which of its tasks, and how they become attempts."""
    parser.add_argument(
        "--unit",
        choices=("auto", "task", "phase"),
        default="auto",
        help="what one attempt works on (default: auto)",
    )
    parser.add_argument(
        "--parallel",
        choices=("declared", "infer"),
        default="declared",
        help="side by side is what the plan declares, or also what its words suggest",
    )
    parser.add_argument(
        "--candidates",
        type=_count,
        default=1,
        metavar="N",
        help="attempts of each task side by side; an arbiter picks one",
    )
    parser.add_argument(
        "--review",
        action="store_true",
        help="a reviewer looks at each patch before it is merged, and may send it back once",
    )
    parser.add_argument("--concurrency", type=_count, metavar="N", help="attempts at once")
    parser.add_argument("--model", default="", metavar="NAME", help="the model of every role")
    parser.add_argument("--only", nargs="+", default=[], metavar="TASK", help="only these tasks")
    parser.add_argument("--phase", metavar="N", help="only this phase")


def run(args: argparse.Namespace) -> int:
    project = project_of(args)
    if args.all_open or len(args.plan) + len(args.track) > 1:
        from fanfold.cli.batches import run_batch

        return run_batch(project, args)
    (path,) = plans_of(project, args)
    plan = read_plan(project, path)
    graph = graph_of(plan, args)
    if graph.units:
        require_needs(project, path)
    else:
        return _nothing_to_do(plan, graph, as_json=args.json)
    if args.dry_run:
        from fanfold.cli.rehearsal import rehearse

        return rehearse(project, plan, graph, args)
    return _start(project, plan, graph, args)


def _start(project: Project, plan: Plan, graph: Graph, args: argparse.Namespace) -> int:
    from fanfold.cli.request import build_request, tell_of_plan

    cap = args.budget or project.settings.cap or ask_for_cap(project, [graph], args)
    project.prepare()
    engine = engine_of(project, args.engine)
    with engine.claimed(plan.path):
        request = build_request(project, plan, args, cap)
        tell_of_plan(plan, graph)
        engine.submit(request, plan.data)
        if args.detach:
            return _detach(engine, request.run_id, as_json=args.json)
        state = engine.drive(request.run_id)
    return report(state, as_json=args.json)


def _detach(engine: Engine, run_id: str, *, as_json: bool) -> int:
    log = engine.detach(run_id)
    if as_json:
        say_json({"schema": "fanfold.detached/1", "run": run_id, "log": log})
    else:
        where = "in the background" if engine.name == LOCAL else "in the cloud"
        say(f"run {run_id} goes on {where}; next: fanfold watch {run_id}")
    return 0


def _nothing_to_do(plan: Plan, graph: Graph, *, as_json: bool) -> int:
    done = sum(t.state.value == "done" for t in plan.tasks)
    held = f", {len(graph.blocked)} blocked" if graph.blocked else ""
    tell(f"nothing to do: no task to run in {plan.path} ({done} of {len(plan.tasks)} done{held})")
    if as_json:
        say_json(nothing_to_do(plan))
    return 0


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)
