"""Asking for a cap: a person at a terminal may accept the estimate as one."""

from __future__ import annotations

import argparse
import sys
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from fanfold.cli.money import about, budget, up_to_cents
from fanfold.cli.output import tell
from fanfold.cli.pricing import estimate_of, learned
from fanfold.errors import UserError
from fanfold.run.money import dollars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.bootstrap import Project
    from fanfold.plan.model import Graph


def ask_for_cap(project: Project, graphs: Sequence[Graph], args: argparse.Namespace) -> int:
    """The cap that the person at the terminal agrees to for all of it, in micro-dollars.

    Raises:
        UserError: nobody is there to ask, or they say no.
    """
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise UserError("no cap: pass --budget USD, or set limits.run_usd in fanfold.toml")
    experience = learned(project.settings, args)
    expected = [estimate_of(project.settings, graph, args, experience) for graph in graphs]
    cost = reduce(add, (each.dollars for each in expected))
    minutes = max(each.minutes.likely for each in expected)
    tell(
        f"about {about(cost.likely)} ({about(cost.low)} to {about(cost.high)}), "
        f"{sum(each.attempts for each in expected)} attempts, {minutes:.0f} minutes"
    )
    cap = up_to_cents(cost.high)
    if args.yes:
        tell(f"the cap is ${dollars(cap)}")
        return cap
    sys.stderr.write(f"Run with a cap of ${dollars(cap)}? [y/N, or an amount] ")
    sys.stderr.flush()
    return _answered(sys.stdin.readline(), cap)


def _answered(line: str, cap: int) -> int:
    answer = line.strip().lower()
    if not line:
        tell("")
    if answer in ("y", "yes"):
        return cap
    if answer in ("", "n", "no"):
        raise UserError("nothing was started")
    try:
        return budget(answer)
    except argparse.ArgumentTypeError as error:
        raise UserError(f"{error}; nothing was started") from None
