"""What the handlers share: the shapes of their events, and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger

from fanfold.bootstrap_aws import deployed
from fanfold.run.steps import Ask, Step
from fanfold.steps.perform import perform_once

if TYPE_CHECKING:
    from fanfold.bootstrap_aws import Cloud

logger = Logger(service="fanfold")


class Turn(msgspec.Struct, frozen=True):
    """A turn of the state machine: which generation of which run is at it."""

    run_id: str
    generation: int


class StepTurn(Turn, frozen=True):
    """A turn with the step that was decided."""

    step: Step


class DecideTurn(Turn, frozen=True):
    """A turn with the ARN of its execution, and what attempts run on there: `role=ARN,…`."""

    execution: str
    functions: str
    containers: str


class PrepareTurn(Turn, frozen=True):
    """A turn before a step that needs `trees` prepared; `built` is whose builder has just ended."""

    trees: tuple[str, ...]
    built: str = ""


class AskTurn(Turn, frozen=True):
    """A turn with the token that its execution waits for."""

    step: Ask
    token: str


class Said(msgspec.Struct, frozen=True):
    """`word` is one of `steps.answer.WORDS`, whose own fields stand beside these.

    With a `generation`, a change begins it too: with the `cap` in micro-dollars where it is raised.
    """

    run_id: str
    word: str
    by: str
    generation: int = 0
    cap: int | None = None


class SaidToBatch(msgspec.Struct, frozen=True):
    """`word` is one of `steps.answer_batch.BATCH_WORDS`, whose own fields stand beside these."""

    batch_id: str
    word: str
    by: str


class AttemptTurn(msgspec.Struct, frozen=True):
    """One item of a wave and the `key` to it; `error` is what its place ended with, once it has."""

    run_id: str
    attempt: str
    key: str = ""
    error: str = ""


def carry_out(event: dict[str, Any], cloud: Cloud | None) -> None:
    """Perform the step of `event` unless the log has moved on since it was decided."""
    turn = msgspec.convert(event, StepTurn)
    cloud = cloud or deployed()
    journal = cloud.supervision.journal(turn.run_id)
    done = perform_once(journal, turn.step, turn.generation, cloud.wiring(turn.run_id))
    logger.info("performed" if done else "not due any more", version=journal.state.version)
