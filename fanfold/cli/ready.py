"""`fanfold ready`: mark a track approved, so that it may run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.output import say, say_json
from fanfold.cli.plans import find_plans, known_tracks, read_plan
from fanfold.cli.runs import project_of
from fanfold.errors import UserError
from fanfold.plan import tracks
from fanfold.plan.graph import build

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  fanfold ready               the single open track
  fanfold ready auth_20260801
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
    if args.json:
        say_json(
            {
                "schema": "fanfold.ready/1",
                "track": track.id,
                "state": track.state.value,
                "file": target,
            }
        )
    else:
        say(f"{track.id} is approved in {target}; next: fanfold run")
    return 0
