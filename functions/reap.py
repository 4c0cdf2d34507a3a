"""Reap: give back what ended attempts and executions held; on a schedule, look for all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import deployed
from fanfold.run.artifacts import QUEUE
from fanfold.steps.orphan import reap_attempt
from fanfold.steps.reap import reap_all, reap_execution
from functions.handling import AttemptTurn, logger
from functions.metrics import gauge_slots

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud
    from fanfold.steps.wiring import Supervision


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None) -> None:
    """An item of a wave whose place has ended, an execution's change of status, or the schedule."""
    supervision = (cloud or deployed()).supervision
    if "attempt" in event:
        turn = msgspec.convert(event, AttemptTurn)
        reap_attempt(turn.run_id, turn.attempt, turn.error, supervision)
    elif event.get("detail-type") == "Step Functions Execution Status Change":
        run_id = event["detail"]["name"].rpartition("-")[0]
        reap_execution(run_id, event["detail"]["executionArn"], supervision)
    else:
        _look_at_all(supervision)


def _look_at_all(supervision: Supervision) -> None:
    """A slot that is given back only here was missed by what should have: it had expired."""
    before = {(slot.run, slot.execution) for slot in supervision.slots.taken()}
    try:
        reap_all(supervision)
    finally:
        after = {(slot.run, slot.execution) for slot in supervision.slots.taken()}
        waiting = len(supervision.artifacts.list(QUEUE))
        gauge_slots(len(after), len(before - after), waiting)
