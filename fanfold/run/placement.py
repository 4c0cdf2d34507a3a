"""Where an attempt runs: locally, on Lambda or on Fargate."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from fanfold.run.attempt import Exit

if TYPE_CHECKING:
    from fanfold.run.events import RunOptions
    from fanfold.run.state import UnitState

LAMBDA_MINUTES = 10.0
URGENT_ROLES = frozenset({"arbiter"})
CUT_OFF = frozenset({Exit.INTERRUPTED, Exit.LOST})


class Placement(StrEnum):
    """A place an attempt can run in."""

    LOCAL = "local"
    LAMBDA = "lambda"
    FARGATE = "fargate"


def placement_of(options: RunOptions, unit: UnitState, role: str) -> Placement:
    """Lambda for what needs no shell and is short.

    Fargate for the rest and for what outgrew Lambda, where there are containers at all.
    """
    if options.engine == "local":
        return Placement.LOCAL
    light = role not in options.shells and unit.spec.minutes <= LAMBDA_MINUTES
    small = (light and not unit.escalated) or not options.containers
    return Placement.LAMBDA if small else Placement.FARGATE


def may_be_interrupted(unit: UnitState, role: str) -> bool:
    """Whether the unit's next attempt may run on capacity that can be taken away.

    Not one that other units wait for, and not after it was cut off once.
    """
    return role not in URGENT_ROLES and all(t.outcome not in CUT_OFF for t in unit.tries)
