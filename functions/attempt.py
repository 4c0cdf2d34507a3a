"""Attempt: run one subagent to its end; what it leaves is in its stream and its artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import Claim, deployed
from fanfold.errors import AttemptOver
from fanfold.steps.invoke import invoke
from functions.handling import AttemptTurn, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud

MARGIN_S = 120.0


@logger.inject_lambda_context(correlation_id_path="run_id")
def handler(event: dict[str, Any], context: LambdaContext, cloud: Cloud | None = None) -> None:
    """Raises `LeaseHeld` while another invocation is at it."""
    turn = msgspec.convert(event, AttemptTurn)
    left_s = context.get_remaining_time_in_millis() / 1000
    claim = Claim(turn.run_id, turn.attempt, turn.key, context.aws_request_id)
    try:
        cloud = (cloud or deployed()).claimed(claim)
    except AttemptOver as over:
        logger.info(str(over))
        return
    journal, wiring = cloud.supervision.journal(turn.run_id), cloud.wiring(turn.run_id)
    work_s = max(left_s - MARGIN_S, 0.0)
    name, holder = turn.attempt, claim.holder
    ended = invoke(journal, name, wiring, holder, lambda: False, escalate_after_s=work_s)
    logger.info("ended", attempt=ended.attempt, outcome=ended.outcome.value, cost=ended.cost)
