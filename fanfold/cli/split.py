"""`fanfold plan --split`: signs of what may run side by side, as a diff of the plan."""

from __future__ import annotations

import difflib
import sys
import uuid
from typing import TYPE_CHECKING

from fanfold.bootstrap import local, require_model
from fanfold.cli.output import say, say_json, tell
from fanfold.cli.plans import plans_of, read_plan
from fanfold.cli.runs import project_of
from fanfold.errors import FanfoldError, UserError
from fanfold.plan.formats import parse
from fanfold.plan.graph import build
from fanfold.run.attempt import AttemptLimits
from fanfold.run.money import dollars
from fanfold.steps.split import ROLE, context_of, propose

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from fanfold.bootstrap import Project
    from fanfold.plan.model import Plan
    from fanfold.steps.split import Proposal


class NoProposal(FanfoldError):
    """The attempt ended without signs that fit the plan."""

    exit_code = 1


def split(args: argparse.Namespace) -> int:
    """Let one attempt propose, show the diff, and write it into the plan where that is wanted.

    Raises:
        UserError: more than one plan, or nothing to split.
        NoProposal: the money is spent and there is nothing to show for it.
    """
    project = project_of(args)
    paths = plans_of(project, args)
    if len(paths) != 1:
        raise UserError("one plan at a time: name a single plan or track")
    plan = read_plan(project, paths[0])
    if len(build(plan, unit=args.unit).units) < 2:
        raise UserError(f"{plan.path}: nothing to split: fewer than two units are open")
    require_model(project.settings)
    cap = args.budget or project.settings.slice
    tell(f"reading the repository, for at most ${dollars(cap)}")
    proposal = _propose(project, plan, args, cap)
    cost = dollars(proposal.report.cost)
    if proposal.data is None:
        raise NoProposal(f"no proposal for ${cost}: {proposal.problem}; the plan is as it was")
    _show(project, plan, proposal.data, cost, args)
    return 0


def _propose(project: Project, plan: Plan, args: argparse.Namespace, cap: int) -> Proposal:
    """Over HEAD, with the plan as it lies in the work tree."""
    project.prepare()
    repository, model, limits = project.repository, project.settings.model, project.settings.limits
    tree = repository.replace(repository.tree_of("HEAD"), plan.path, plan.data)
    context = context_of(
        plan,
        tree,
        repository,
        name=uuid.uuid4().hex[:10],
        model=args.model or model.roles.get(ROLE) or model.name,
        effort=model.effort.get(ROLE) or model.effort.get(""),
        limits=AttemptLimits(cap, limits.steps, limits.minutes, limits.command_s),
    )
    wiring = local(project, sandbox=False)
    try:
        return propose(plan, context, wiring)
    finally:
        wiring.workspaces.close()


def _show(
    project: Project, plan: Plan, proposed: bytes, cost: str, args: argparse.Namespace
) -> None:
    diff = _diff(plan.path, plan.data, proposed)
    before, after = build(plan, unit=args.unit), build(parse(proposed, plan.path), unit=args.unit)
    accepted = proposed != plan.data and _accepted(args, diff)
    if accepted:
        _write(project.root / plan.path, plan, proposed)
    if args.json:
        speedup = {"before": round(before.speedup, 2), "after": round(after.speedup, 2)}
        say_json(
            {
                "schema": "fanfold.split/1",
                "plan": plan.path,
                "diff": diff,
                "speedup": speedup,
                "written": accepted,
                "cost_usd": cost,
            }
        )
    elif not _asks(args):
        say(diff.rstrip("\n") or "nothing to add: no task gained a sign")
    tell(f"speed-up at best {before.speedup:.1f}x → {after.speedup:.1f}x; ${cost} spent")
    if accepted:
        tell(f"written into {plan.path}; `git diff` shows it")


def _diff(path: str, before: bytes, after: bytes) -> str:
    old, new = (
        data.decode("utf-8", "replace").splitlines(keepends=True) for data in (before, after)
    )
    lines = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _asks(args: argparse.Namespace) -> bool:
    return not args.json and not args.yes and sys.stdin.isatty() and sys.stderr.isatty()


def _accepted(args: argparse.Namespace, diff: str) -> bool:
    if not _asks(args):
        return bool(args.yes)
    say(diff.rstrip("\n"))
    sys.stderr.write("Write this into the plan? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _write(file: Path, plan: Plan, proposed: bytes) -> None:
    """Unless somebody edited the plan meanwhile."""
    if file.read_bytes() != plan.data:
        raise UserError(f"{plan.path} was edited meanwhile: it is as you left it; run this again")
    fresh = file.with_name(f".{file.name}.fanfold")
    fresh.write_bytes(proposed)
    fresh.chmod(file.stat().st_mode)
    fresh.replace(file)
