"""A step as the state machine carries it: names of what is in the log, never its contents."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.errors import InvalidSettings
from fanfold.run.placement import Placement, may_be_interrupted
from fanfold.run.steps import Dispatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanfold.run.events import AttemptDispatched
    from fanfold.run.state import RunState
    from fanfold.run.steps import Step

GRACE_S = 600


class Targets:
    """The versions that an execution began with: functions and task definitions by role.

    `most` attempts at once are what the deployment has room for in each of its runs.
    """

    def __init__(self, functions: str, containers: str, most: int) -> None:
        """The first two as `role=ARN,role=ARN`, or a word for none."""
        self._functions, self._containers = _by_role(functions), _by_role(containers)
        self.most = most

    def of(self, role: str, placement: str) -> str:
        """What an attempt of `role` runs on. Raises `InvalidSettings` where it is not deployed."""
        there = self._functions if placement == Placement.LAMBDA else self._containers
        if role not in there:
            raise InvalidSettings(f"this deployment has no {placement} for the role {role!r}")
        return there[role]


def _by_role(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair)


def pointers(
    step: Step, state: RunState, project: str, keys: Mapping[str, str], targets: Targets
) -> dict[str, Any]:
    """JSON of a few hundred bytes an attempt, with the key to claim it among `keys`.

    Pauses are drawn here, from 0 to their bound.
    """
    if not isinstance(step, Dispatch):
        return msgspec.to_builtins(step)
    return {
        "type": "dispatch",
        "concurrency": min(len(step.attempts), state.limits.concurrency, targets.most),
        "attempts": [
            {**_item(d, state, project, targets), "key": keys[d.attempt]} for d in step.attempts
        ],
    }


def _item(
    dispatched: AttemptDispatched, state: RunState, project: str, targets: Targets
) -> dict[str, Any]:
    pause = random.uniform(0.0, dispatched.delay_s)  # noqa: S311
    return {
        "run_id": state.run_id,
        "attempt": dispatched.attempt,
        "role": dispatched.role,
        "project": project,
        "place": _place(dispatched, state),
        "target": targets.of(dispatched.role, dispatched.placement),
        "pause_s": math.ceil(pause),
        "timeout_s": math.ceil(state.limits.minutes * 60) + GRACE_S,
    }


def _place(dispatched: AttemptDispatched, state: RunState) -> str:
    on_spot = may_be_interrupted(state.units[dispatched.unit], dispatched.role)
    return "spot" if dispatched.placement == Placement.FARGATE and on_spot else dispatched.placement
