"""`fanfold run --dry-run`: what would happen; nothing is written, nothing is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.cli.output import say, say_json
from fanfold.cli.pricing import price_line
from fanfold.cli.request import build_request
from fanfold.plan.view import plan_json, plan_text
from fanfold.run.money import dollars

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.plan.model import Graph, Plan
    from fanfold.steps.request import Request


def rehearse(project: Project, plan: Plan, graph: Graph, args: argparse.Namespace) -> int:
    """Look at everything that a run would look at, and show the plan as it would run it.

    Raises:
        UserError: what would keep the run from starting, but for a missing cap.
    """
    cap = args.budget or project.settings.cap
    request = build_request(project, plan, args, cap or project.settings.slice)
    if args.json:
        say_json({**plan_json(plan, graph), "terms": _terms_json(request, cap)})
        return 0
    say(plan_text(plan, graph))
    say(price_line(project.settings, graph, args))
    say(_terms(request, cap))
    say("dry run: nothing was written or spent")
    return 0


def _terms_json(request: Request, cap: int | None) -> dict[str, Any]:
    return {
        "base": request.base,
        "cap_usd": dollars(cap) if cap else None,
        "concurrency": request.limits.concurrency,
        "checks": [check.command for check in request.checks],
    }


def _terms(request: Request, cap: int | None) -> str:
    checks = ", ".join(c.command for c in request.checks) or "none"
    return (
        f"base {request.base[:7]}, cap {f'${dollars(cap)}' if cap else 'none yet (--budget USD)'}, "
        f"{request.limits.concurrency} attempts at once, checks: {checks}"
    )
