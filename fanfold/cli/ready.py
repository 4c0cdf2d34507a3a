"""`fanfold ready`: mark a track approved, so that it may run; where one is deployed, it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.engines import AWS
from fanfold.cli.output import say, say_json, tell
from fanfold.cli.plans import find_plans, known_tracks, read_plan
from fanfold.cli.runs import project_of
from fanfold.errors import UserError
from fanfold.plan import tracks
from fanfold.plan.graph import build

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project

EXAMPLES = """\
examples:
  fanfold ready               the single open track
  fanfold ready auth_20260801

Where [cloud] of fanfold.toml names a deployment and [limits] a cap, the track's run starts there.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("track", nargs="?", metavar="TRACK", help="a track's id or a prefix of it")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args, unborn=True)
    (path,) = find_plans(project, [args.track] if args.track else [])
    plan = read_plan(project, path)
    if not build(plan).units:
        raise UserError(f"{path} has no open task; there is nothing to approve")
    target = tracks.approval_file(path, lambda name: (project.root / name).is_file())
    file = project.root / target
    approved = tracks.approve(file.read_bytes(), target)
    file.write_bytes(approved)
    track = next(t for t in known_tracks(project) if t.plan == path)
    run_id = _submitted(project, path) if project.settings.cloud.stack else None
    if args.json:
        told = {"track": track.id, "state": track.state.value, "file": target, "run": run_id}
        say_json({"schema": "fanfold.ready/1", **told})
    else:
        follow = f"fanfold watch {run_id}" if run_id else "fanfold run"
        say(f"{track.id} is approved in {target}; next: {follow}")
    return 0


def _submitted(project: Project, path: str) -> str | None:
    """The run that the deployment was asked for; None without a cap that bounds it."""
    cap = project.settings.cap
    if cap is None:
        tell("not submitted: no cap; set limits.run_usd in fanfold.toml")
        return None
    from fanfold.cli.engines.aws import Account
    from fanfold.cli.engines.whereabouts import place_of
    from fanfold.cli.main import command_parser
    from fanfold.cli.request import build_request

    asked = command_parser("run").parse_args([path, "--engine", AWS, "--detach"])
    # Read again: the approval may stand in the plan itself.
    plan = read_plan(project, path)
    project.prepare()
    request = build_request(project, plan, asked, cap)
    Account(project, place_of(project, project.settings.cloud)).announce(request, plan.data)
    return request.run_id
