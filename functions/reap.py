"""Reap: give back what ended attempts and executions held; on a schedule, look for all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import deployed
from fanfold.steps.orphan import reap_attempt
from fanfold.steps.reap import reap_all, reap_execution
from functions.handling import AttemptTurn, logger
from functions.metrics import gauged

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


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
        with gauged(supervision):
            reap_all(supervision)
