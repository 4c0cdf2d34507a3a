"""Where an attempt runs: locally, on Lambda or on Fargate."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanfold.run.events import RunOptions
    from fanfold.run.state import UnitState

LAMBDA_MINUTES = 10.0
SHELL_ROLES = frozenset({"implementer", "tester", "arbiter"})


class Placement(StrEnum):
    """A place an attempt can run in."""

    LOCAL = "local"
    LAMBDA = "lambda"
    FARGATE = "fargate"


def placement_of(options: RunOptions, unit: UnitState, role: str) -> Placement:
    """Lambda for what needs no shell and is short.

    Fargate for the rest and for what outgrew Lambda.
    """
    if options.engine == "local":
        return Placement.LOCAL
    light = role not in SHELL_ROLES and unit.spec.minutes <= LAMBDA_MINUTES
    return Placement.LAMBDA if light and not unit.escalated else Placement.FARGATE
