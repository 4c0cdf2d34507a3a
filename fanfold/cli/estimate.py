"""`fanfold estimate`: attempts, time, tokens and dollars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.cli.output import say, say_json, table
from fanfold.cli.plans import looked_at
from fanfold.cli.pricing import estimate_of, learned
from fanfold.cli.run import add_choice, add_shape
from fanfold.cli.selection import graph_of
from fanfold.run.money import dollars

if TYPE_CHECKING:
    import argparse

    from fanfold.run.estimate import Estimate, Range

CLOUD_MINUTES = 60.0
CLOUD_WIDTH = 16
EXAMPLES = """\
examples:
  fanfold estimate
  fanfold estimate conductor/tracks/auth/plan.md --model claude-haiku-5-5 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_shape(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    settings, plans = looked_at(args)
    experience = learned(settings, args)
    views: list[dict[str, Any]] = []
    for plan in plans:
        graph = graph_of(plan, args)
        expected = estimate_of(settings, graph, args, experience)
        width = max((len(wave) for wave in graph.waves), default=0)
        view = _view(plan.path, expected, advice(expected, width))
        views.append(view)
        if not args.json:
            say(_describe(view))
    if args.json:
        say_json(views[0] if len(views) == 1 else {"schema": "fanfold.estimates/1", "plans": views})
    return 0


def advice(expected: Estimate, width: int) -> tuple[str, str]:
    """`local` or `aws`, and the reason."""
    if expected.minutes.likely > CLOUD_MINUTES:
        minutes = expected.minutes.likely
        return "aws", f"about {minutes} minutes is long for a laptop that must stay awake"
    if width > CLOUD_WIDTH:
        return "aws", f"up to {width} attempts at once want more than one machine"
    return "local", "short and narrow enough for this machine, which costs nothing more"


def _view(path: str, expected: Estimate, advised: tuple[str, str]) -> dict[str, Any]:
    return {
        "schema": "fanfold.estimate/1",
        "plan": path,
        "attempts": expected.attempts,
        "minutes": _range(expected.minutes),
        "tokens": {k: int(v) for k, v in _range(expected.tokens).items()},
        "dollars": {k: dollars(int(v)) for k, v in _range(expected.dollars).items()},
        "basis": expected.basis,
        "certainty": expected.sure,
        "learned_from": {"runs": expected.runs, "attempts": expected.seen},
        "advice": {"engine": advised[0], "why": advised[1]},
    }


def _range(values: Range) -> dict[str, float]:
    return {"low": values.low, "likely": values.likely, "high": values.high}


def _describe(view: dict[str, Any]) -> str:
    rows = [
        (name, *(str(view[name][column]) for column in ("low", "likely", "high")))
        for name in ("minutes", "tokens", "dollars")
    ]
    return "\n".join(
        [
            f"{view['plan']}: {view['attempts']} attempts",
            table(("", "low", "likely", "high"), rows),
            f"basis: {view['basis']} (certainty: {view['certainty']})",
            f"advice: {view['advice']['engine']}, {view['advice']['why']}",
        ]
    )
