"""`fanfold init`: propose fanfold.toml from what lies in the repository; never overwrites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.output import say, say_json
from fanfold.cli.proposal import propose
from fanfold.cli.runs import project_of
from fanfold.settings import FILE

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  fanfold init              write fanfold.toml and make .ai-workspace/
  fanfold init --dry-run    only show the proposal
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only show the proposal")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    project = project_of(args, unborn=True)
    file = project.root / FILE
    exists = file.exists()
    proposal = propose(project.root)
    if not args.dry_run:
        project.prepare()
        if not exists:
            file.write_text(proposal.toml(), "utf-8")
    written = not exists and not args.dry_run
    if args.json:
        say_json(
            {
                "schema": "fanfold.init/1",
                "file": FILE,
                "written": written,
                "proposal": proposal.toml(),
                "because": list(proposal.because),
            }
        )
        return 0
    for reason in proposal.because:
        say(f"found {reason}")
    if written:
        say(f"wrote {FILE}; look through it, commit it, then: fanfold doctor")
    elif exists:
        say(f"{FILE} is there already and stays as it is; the proposal would be:\n")
        say(proposal.toml().rstrip())
    else:
        say(proposal.toml().rstrip())
    return 0
